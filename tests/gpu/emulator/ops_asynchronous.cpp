// cp.async, and what the asynchronous families share.
#include "tests/gpu/emulator/ops_asynchronous.h"

#include <fmt/format.h>

#include "tests/gpu/emulator/async_state.h"

namespace lodestone::ptx {

namespace {

// Operation::registers of cp.async.
constexpr std::size_t kSourceBytes = 0, kIgnoreSource = 1;
constexpr std::uint32_t kIgnoreNegated = 1;  // Operation::modifiers

LaneAddresses addresses_in(const Warp& warp, const Operation& operation, LaneMask mask,
                           const AddressOperand& operand, AddressSpace space) {
  LaneAddresses addresses = lane_addresses(warp, operand);
  if (operand.space != AddressSpace::kGeneric) return addresses;
  for_each_lane(mask, [&](std::uint32_t lane) {
    const AddressSpace found = space_of(addresses[lane]);
    if (found != space)
      report(warp, operation, lane, FindingKind::kOutOfBounds,
             fmt::format("the address is one of {} memory, not of {} memory", name_of(found),
                         name_of(space)));
    addresses[lane] -= window_of(space);
  });
  return addresses;
}

// How many bytes of the source a lane copies; the rest is zeros.
std::uint32_t source_bytes(const Warp& warp, const Operation& operation, std::uint32_t lane) {
  if (operation.registers[kIgnoreSource] != kNone) {
    const LaneMask bits = warp.predicate(operation.registers[kIgnoreSource]);
    const bool negated = operation.modifiers == kIgnoreNegated;
    return (bits >> lane & 1) != static_cast<LaneMask>(negated) ? 0 : operation.bytes;
  }
  if (operation.registers[kSourceBytes] == kNone) return operation.bytes;
  return warp.lanes<std::uint32_t>(operation.registers[kSourceBytes])[lane];
}

void run_copy(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneAddresses to = shared_addresses(warp, operation, mask, operation.addresses[0]);
  const LaneAddresses from = global_addresses(warp, operation, mask, operation.addresses[1]);
  std::array<std::uint32_t, kLanes> bytes{};
  LaneMask whole = 0;
  for_each_lane(mask, [&](std::uint32_t lane) {
    bytes[lane] = source_bytes(warp, operation, lane);
    if (bytes[lane] > operation.bytes)
      report(warp, operation, lane, FindingKind::kAsynchronous,
             fmt::format("cp.async of {} bytes with a source size of {}", operation.bytes,
                         bytes[lane]));
    if (bytes[lane] == operation.bytes)
      whole |= LaneMask{1} << lane;
    else if (bytes[lane] != 0)
      check_lane_access(warp, operation, lane, AddressSpace::kGlobal, from[lane], bytes[lane],
                        AccessKind::kRead, operation.bytes);
  });
  if (whole != 0)
    check_access(
        {warp, operation, AddressSpace::kGlobal, AccessKind::kRead, operation.bytes, whole, from});
  check_access(
      {warp, operation, AddressSpace::kShared, AccessKind::kAsyncWrite, operation.bytes, mask, to});
  ThreadCopies& copies = asynchronous_state(warp).copies;
  for_each_lane(mask, [&](std::uint32_t lane) {
    copies.begin(warp.thread(lane),
                 {.shared = static_cast<std::uint32_t>(to[lane]),
                  .source = host_address(warp, AddressSpace::kGlobal, lane, from[lane]),
                  .bytes = operation.bytes,
                  .source_bytes = bytes[lane]});
  });
}

// [to], [from], bytes[, source bytes | predicate that ignores the source][, cache policy]
void translate_copy(Translator& translator, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  const std::size_t policy = match.has(2) ? 1 : 0;
  translator.expect_operands(3 + policy, 4 + policy);
  operation.addresses[0] = translator.address(operands[0], AddressSpace::kShared);
  operation.addresses[1] = translator.address(operands[1], AddressSpace::kGlobal);
  const std::int64_t bytes = translator.constant(operands[2]);
  if (bytes != 16 && (match[0] == "cg" || (bytes != 4 && bytes != 8)))
    translator.refuse(fmt::format("a copy of {} bytes", bytes));
  operation.bytes = static_cast<std::uint32_t>(bytes);
  operation.handler = run_copy;
  if (operands.size() == 3 + policy) return;
  if (translator.width(operands[3], 32) == 1) {
    const auto [predicate, negated] = translator.predicate(operands[3]);
    operation.registers[kIgnoreSource] = predicate;
    operation.modifiers = negated ? kIgnoreNegated : 0;
  } else {
    operation.registers[kSourceBytes] = translator.source(operands[3], 32);
  }
}

void run_commit(Warp& warp, const Operation& /*operation*/, LaneMask mask) {
  for_each_lane(
      mask, [&](std::uint32_t lane) { asynchronous_state(warp).copies.commit(warp.thread(lane)); });
}

void run_wait_group(Warp& warp, const Operation& operation, LaneMask mask) {
  for_each_lane(mask, [&](std::uint32_t lane) {
    asynchronous_state(warp).copies.wait(warp.block(), warp.thread(lane),
                                         static_cast<std::size_t>(operation.immediate));
  });
}

void run_wait_all(Warp& warp, const Operation& /*operation*/, LaneMask mask) {
  for_each_lane(mask, [&](std::uint32_t lane) {
    asynchronous_state(warp).copies.wait_all(warp.block(), warp.thread(lane));
  });
}

template <Handler kRun>
void translate_plain(Translator& translator, const Instruction& /*instruction*/,
                     const Match& /*match*/, Operation& operation) {
  translator.expect_operands(0);
  operation.handler = kRun;
}

void translate_wait_group(Translator& translator, const Instruction& instruction,
                          const Match& /*match*/, Operation& operation) {
  translator.expect_operands(1);
  operation.immediate = translator.constant(instruction.operands[0]);
  if (operation.immediate < 0) translator.refuse("a negative number of groups");
  operation.handler = run_wait_group;
}

}  // namespace

LaneAddresses shared_addresses(const Warp& warp, const Operation& operation, LaneMask mask,
                               const AddressOperand& operand) {
  return addresses_in(warp, operation, mask, operand, AddressSpace::kShared);
}

LaneAddresses global_addresses(const Warp& warp, const Operation& operation, LaneMask mask,
                               const AddressOperand& operand) {
  return addresses_in(warp, operation, mask, operand, AddressSpace::kGlobal);
}

void add_thread_copies(OpcodeTable& table) {
  table.add(
      "cp.async.(ca|cg)(.shared|.shared::cta).global[.L2::cache_hint][.L2::64B|.L2::128B|.L2::"
      "256B]",
      translate_copy);
  table.add("cp.async.commit_group", translate_plain<run_commit>);
  table.add("cp.async.wait_group", translate_wait_group);
  table.add("cp.async.wait_all", translate_plain<run_wait_all>);
}

void add_asynchronous_operations(OpcodeTable& table) {
  add_thread_copies(table);
  add_mbarriers(table);
  add_bulk_copies(table);
  add_proxy_fences(table);
}

}  // namespace lodestone::ptx
