// Barriers of warps and blocks, and fences between threads.
#include <cstdint>

#include "tests/gpu/emulator/barrier_operation.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/memory_lanes.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U32 = std::uint32_t;

void translate_number_and_threads(Translator& t, const Instruction& instruction, std::size_t first,
                                  std::size_t count, Operation& operation) {
  operation.registers[kBarrierNumber] = t.source(instruction.operands[first], 32);
  if (count == 2)
    operation.registers[kBarrierThreads] = t.source(instruction.operands[first + 1], 32);
}

// bar.sync NUMBER{, THREADS}
void translate_sync(Translator& t, const Instruction& instruction, const Match& /*match*/,
                    Operation& operation) {
  t.expect_operands(1, 2);
  translate_number_and_threads(t, instruction, 0, instruction.operands.size(), operation);
  operation.flow = Flow::kBarrier;
}

void arrive(Warp& warp, const Operation& operation, LaneMask mask) {
  warp.block().arrive_at_barrier(warp, operation, mask, false);
}

// bar.arrive NUMBER, THREADS
void translate_arrive(Translator& t, const Instruction& instruction, const Match& /*match*/,
                      Operation& operation) {
  t.expect_operands(2);
  translate_number_and_threads(t, instruction, 0, 2, operation);
  operation.flow = Flow::kWarpSync;
  operation.members = t.preset(kAllLanes, 32);
  operation.handler = arrive;
}

// bar.red RESULT, NUMBER{, THREADS}, PREDICATE
void translate_reduction(Translator& t, const Instruction& instruction, const Match& match,
                         Operation& operation) {
  t.expect_operands(3, 4);
  const bool counts = match[0] == "popc";
  operation.modifiers = counts ? kCountTrue : match[0] == "and" ? kAllTrue : kAnyTrue;
  operation.registers[kBarrierResult] = t.destination(instruction.operands[0], counts ? 32 : 1);
  translate_number_and_threads(t, instruction, 1, instruction.operands.size() - 2, operation);
  const auto [place, negated] = t.predicate(instruction.operands.back());
  operation.registers[kBarrierPredicate] = place;
  operation.immediate = negated ? 1 : 0;
  operation.flow = Flow::kBarrier;
}

void synchronise_warp(Warp& warp, const Operation& /*operation*/, LaneMask mask) {
  Block& block = warp.block();
  if (block.launch().observers.empty()) return;
  std::vector<LaneMask> threads(block.warps().size());
  threads[warp.index()] = mask;
  for (MemoryObserver* observer : block.launch().observers) observer->join(block, kNone, threads);
}

void translate_warp_sync(Translator& t, const Instruction& instruction, const Match& /*match*/,
                         Operation& operation) {
  t.expect_operands(1);
  operation.members = t.source(instruction.operands[0], 32);
  operation.flow = Flow::kWarpSync;
  operation.handler = synchronise_warp;
}

void fence(Warp& warp, const Operation& operation, LaneMask mask) {
  for (MemoryObserver* observer : warp.block().launch().observers) {
    observer->fence(warp, operation, mask, {.scope = scope_of(operation)});
  }
}

void translate_fence(Translator& t, const Instruction& /*instruction*/, const Match& match,
                     Operation& operation) {
  t.expect_operands(0);
  const std::string_view name = match[0];
  const MemoryScope scope = name == ".gl" ? MemoryScope::kDevice : memory_scope_named(name);
  operation.modifiers = ordering_bits(MemoryOrder::kAcquireRelease, scope);
  operation.handler = fence;
}

}  // namespace

void add_barrier_operations(OpcodeTable& table) {
  for (const std::string stem : {"bar", "bar.cta"}) {
    table.add(stem + ".sync", &translate_sync);
    table.add(stem + ".arrive", &translate_arrive);
    table.add(stem + ".red.(popc).u32", &translate_reduction);
    table.add(stem + ".red.(and|or).pred", &translate_reduction);
  }
  for (const std::string stem : {"barrier", "barrier.cta"}) {
    table.add(stem + ".sync[.aligned]", &translate_sync);
    table.add(stem + ".arrive[.aligned]", &translate_arrive);
    table.add(stem + ".red.(popc)[.aligned].u32", &translate_reduction);
    table.add(stem + ".red.(and|or)[.aligned].pred", &translate_reduction);
  }
  table.add("bar.warp.sync", &translate_warp_sync);
  table.add("membar(.cta|.gl|.sys)", &translate_fence);
  table.add("fence.sc(.cta|.cluster|.gpu|.sys)", &translate_fence);
  table.add("fence.acq_rel(.cta|.cluster|.gpu|.sys)", &translate_fence);
  table.add("fence(.cta|.cluster|.gpu|.sys)", &translate_fence);
}

}  // namespace lodestone::ptx
