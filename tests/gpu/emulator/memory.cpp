// The checked way to memory: bounds, alignment, observers.
#include "tests/gpu/emulator/memory.h"

#include <bit>

#include "engine/core/check.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

std::string_view verb(AccessKind kind) {
  switch (kind) {
    case AccessKind::kRead:
    case AccessKind::kAsyncRead:
      return "read";
    case AccessKind::kWrite:
    case AccessKind::kAsyncWrite:
      return "write";
    case AccessKind::kAtomic:
      return "atomic access";
  }
  return "access";
}

std::string nearest_object(const ExtentSet& objects, std::uint64_t address) {
  const Extent* object = objects.at_or_before(address);
  if (object == nullptr) return "before every object";
  return fmt::format("{} bytes past the start of an object of {} bytes", address - object->begin,
                     object->size);
}

bool within_bounds(Warp& warp, AddressSpace space, std::uint64_t address, std::uint64_t bytes) {
  const Block& block = warp.block();
  switch (space) {
    case AddressSpace::kShared:
      return block.shared_objects().find(address, bytes) != nullptr;
    case AddressSpace::kLocal:
      return Extent{0, block.local_size()}.contains(address, bytes);
    case AddressSpace::kParameter:
      return Extent{0, block.launch().parameters.size()}.contains(address, bytes);
    default:
      return block.launch().memory->find(address, bytes) != nullptr;
  }
}

[[noreturn]] void report_out_of_bounds(Warp& warp, const Operation& operation, std::uint32_t lane,
                                       AddressSpace space, std::uint64_t address,
                                       std::uint32_t bytes, AccessKind kind) {
  std::string where = fmt::format("address {:#x}", address);
  if (space == AddressSpace::kShared) {
    where += ", " + nearest_object(warp.block().shared_objects(), address);
  } else if (space == AddressSpace::kGlobal || space == AddressSpace::kConstant) {
    const Extent* object = warp.block().launch().memory->at_or_before(address);
    if (object != nullptr && address - object->begin < (std::uint64_t{1} << 32)) {
      where += fmt::format(", {} bytes past the start of an allocation of {} bytes",
                           address - object->begin, object->size);
    }
  }
  report(
      warp, operation, lane, FindingKind::kOutOfBounds,
      fmt::format("{} {} of {} bytes out of bounds: {}", name_of(space), verb(kind), bytes, where));
}

[[noreturn]] void report_misaligned(Warp& warp, const Operation& operation, std::uint32_t lane,
                                    AddressSpace space, std::uint64_t address, std::uint32_t bytes,
                                    AccessKind kind, std::uint32_t alignment) {
  report(warp, operation, lane, FindingKind::kMisaligned,
         fmt::format("misaligned {} {} of {} bytes: address {:#x} is not a multiple of {}",
                     name_of(space), verb(kind), bytes, address, alignment));
}

void check_one(Warp& warp, const Operation& operation, std::uint32_t lane, AddressSpace space,
               std::uint64_t address, std::uint32_t bytes, AccessKind kind,
               std::uint32_t alignment) {
  if (address % alignment != 0) {
    report_misaligned(warp, operation, lane, space, address, bytes, kind, alignment);
  }
  if (!within_bounds(warp, space, address, bytes)) {
    report_out_of_bounds(warp, operation, lane, space, address, bytes, kind);
  }
}

void refuse_writes_to_parameters(const WarpAccess& access) {
  if (access.space != AddressSpace::kParameter || access.kind == AccessKind::kRead) return;
  report(access.warp, access.operation, static_cast<std::uint32_t>(std::countr_zero(access.lanes)),
         FindingKind::kOutOfBounds, "a kernel's parameters can only be read");
}

std::uint32_t natural_alignment(std::uint32_t bytes) {
  return std::has_single_bit(bytes) ? std::min(bytes, 32u) : 16;
}

struct AddressRange {
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t most = 0;
  std::uint64_t low_bits = 0;  // of all addresses
};

AddressRange range_of(const LaneAddresses& addresses, LaneMask lanes) {
  AddressRange range;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    const bool takes_part = (lanes >> lane & 1) != 0;
    const std::uint64_t address = addresses[lane];
    range.least = takes_part && address < range.least ? address : range.least;
    range.most = takes_part && address > range.most ? address : range.most;
    range.low_bits |= takes_part ? address : 0;
  }
  return range;
}

}  // namespace

std::uint64_t window_of(AddressSpace space) {
  switch (space) {
    case AddressSpace::kShared:
      return kSharedWindow;
    case AddressSpace::kLocal:
      return kLocalWindow;
    case AddressSpace::kParameter:
      return kParameterWindow;
    default:
      return 0;
  }
}

AddressSpace space_of(std::uint64_t generic_address) {
  switch (generic_address >> 56) {
    case kSharedWindow >> 56:
      return AddressSpace::kShared;
    case kLocalWindow >> 56:
      return AddressSpace::kLocal;
    case kParameterWindow >> 56:
      return AddressSpace::kParameter;
    default:
      return AddressSpace::kGlobal;
  }
}

LaneAddresses lane_addresses(const Warp& warp, const AddressOperand& operand) {
  LaneAddresses addresses;
  const auto offset = static_cast<std::uint64_t>(operand.offset);
  if (operand.base == kNone) {
    addresses.fill(offset);
  } else if (operand.bits == 64) {
    const std::uint64_t* base = warp.lanes<std::uint64_t>(operand.base);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) addresses[lane] = base[lane] + offset;
  } else {
    // Addresses of 32 bits wrap, as the device's do.
    const std::uint32_t* base = warp.lanes<std::uint32_t>(operand.base);
    const auto short_offset = static_cast<std::uint32_t>(offset);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) addresses[lane] = base[lane] + short_offset;
  }
  return addresses;
}

// All lanes within one object is the common case: two comparisons for the warp.
void check_access(const WarpAccess& access) {
  refuse_writes_to_parameters(access);
  const AddressRange range = range_of(access.addresses, access.lanes);
  const std::uint32_t alignment = natural_alignment(access.bytes);
  const std::uint64_t span = range.most - range.least + access.bytes;
  if (range.low_bits % alignment != 0 ||
      !within_bounds(access.warp, access.space, range.least, span)) {
    for (LaneMask rest = access.lanes; rest != 0; rest &= rest - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(rest));
      check_one(access.warp, access.operation, lane, access.space, access.addresses[lane],
                access.bytes, access.kind, alignment);
    }
  }
  for (MemoryObserver* observer : access.warp.block().launch().observers) observer->access(access);
}

void check_lane_access(Warp& warp, const Operation& operation, std::uint32_t lane,
                       AddressSpace space, std::uint64_t address, std::uint32_t bytes,
                       AccessKind kind, std::uint32_t alignment, MemoryOrder order) {
  check_one(warp, operation, lane, space, address, bytes, kind, alignment);
  if (warp.block().launch().observers.empty()) return;
  LaneAddresses addresses{};
  addresses[lane] = address;
  const WarpAccess access{warp,  operation,           space,     kind,
                          bytes, LaneMask{1} << lane, addresses, order};
  for (MemoryObserver* observer : warp.block().launch().observers) observer->access(access);
}

std::byte* host_address(Warp& warp, AddressSpace space, std::uint32_t lane, std::uint64_t address) {
  Block& block = warp.block();
  switch (space) {
    case AddressSpace::kShared:
      return block.shared() + address;
    case AddressSpace::kLocal:
      return block.local(warp.thread(lane)) + address;
    case AddressSpace::kParameter:
      // Kernel parameters are never written: stores to them are refused when they are decoded.
      return const_cast<std::byte*>(block.launch().parameters.data()) + address;
    default:
      return std::bit_cast<std::byte*>(address);
  }
}

}  // namespace lodestone::ptx
