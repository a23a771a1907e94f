#pragma once
// Instructions that name a space or leave it to the address: their lanes, space by space.
#include <bit>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

// Where the lanes' bytes are in the host's memory, for lanes of one space.
class HostAddresses {
 public:
  HostAddresses(Warp& warp, AddressSpace space, const LaneAddresses& addresses)
      : addresses_(addresses) {
    if (space == AddressSpace::kShared || space == AddressSpace::kParameter) {
      base_ = reinterpret_cast<std::uint64_t>(host_address(warp, space, 0, 0));
    } else if (space == AddressSpace::kLocal) {
      base_ = reinterpret_cast<std::uint64_t>(host_address(warp, space, 0, 0));
      stride_ = warp.block().local_size();
    }
  }
  std::byte* operator[](std::uint32_t lane) const {
    return std::bit_cast<std::byte*>(base_ + lane * stride_ + addresses_[lane]);
  }

 private:
  const LaneAddresses& addresses_;
  std::uint64_t base_ = 0;
  std::uint64_t stride_ = 0;
};

// Calls visit(space, lanes, addresses) once for each space that the lanes point into; the addresses
// are offsets within the space.
template <class Visit>
void for_each_space(const Warp& warp, const AddressOperand& operand, LaneMask mask, Visit&& visit) {
  const LaneAddresses addresses = lane_addresses(warp, operand);
  if (operand.space != AddressSpace::kGeneric) return visit(operand.space, mask, addresses);
  while (mask != 0) {
    const auto first = static_cast<std::uint32_t>(std::countr_zero(mask));
    const AddressSpace space = space_of(addresses[first]);
    LaneMask lanes = 0;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      lanes |= LaneMask{space_of(addresses[lane]) == space} << lane;
    }
    lanes &= mask;
    LaneAddresses offsets;
    const std::uint64_t window = window_of(space);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) offsets[lane] = addresses[lane] - window;
    visit(space, lanes, offsets);
    mask &= ~lanes;
  }
}

// Checks an access of `bytes` per lane, then calls body(lanes, host) for the lanes of each space.
template <class Body>
void access_lanes(Warp& warp, const Operation& operation, LaneMask mask, AccessKind kind,
                  std::uint32_t bytes, Body&& body);

// Space, memory order and scope by their names in an opcode; ".global" and "" for instance.
AddressSpace address_space_named(std::string_view name);
MemoryOrder memory_order_named(std::string_view name);
MemoryScope memory_scope_named(std::string_view name);

// Operation::modifiers of an access: its order and scope.
std::uint32_t ordering_bits(MemoryOrder order, MemoryScope scope);
MemoryOrder order_of(const Operation& operation);
MemoryScope scope_of(const Operation& operation);

template <class Body>
void access_lanes(Warp& warp, const Operation& operation, LaneMask mask, AccessKind kind,
                  std::uint32_t bytes, Body&& body) {
  for_each_space(warp, operation.addresses[0], mask,
                 [&](AddressSpace space, LaneMask lanes, const LaneAddresses& addresses) {
                   check_access({warp, operation, space, kind, bytes, lanes, addresses,
                                 order_of(operation), scope_of(operation)});
                   body(lanes, HostAddresses(warp, space, addresses));
                 });
}

}  // namespace lodestone::ptx
