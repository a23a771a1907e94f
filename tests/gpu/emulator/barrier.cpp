// The sixteen barriers of a block.
#include <algorithm>
#include <bit>

#include "engine/core/check.h"
#include "tests/gpu/emulator/barrier_operation.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

std::uint32_t first_lane(LaneMask mask) {
  return static_cast<std::uint32_t>(std::countr_zero(mask));
}

// Two instructions are the same barrier of the source when the optimiser copied it.
bool same_source(const Program& a, const Operation& x, const Program& b, const Operation& y) {
  const auto lines = [](const Program& program, const Operation& operation) {
    std::string text;
    for (const SourceLine& each : source_lines(program, operation)) {
      text += fmt::format("{}:{} ", each.file, each.line);
    }
    return text;
  };
  return &x == &y || lines(a, x) == lines(b, y);
}

[[noreturn]] void report_barrier(const Warp& warp, const Operation& operation, std::string why) {
  report(warp, operation, first_lane(warp.current_lanes()), FindingKind::kDivergence,
         std::move(why));
}

}  // namespace

void Block::arrive_at_barrier(Warp& warp, const Operation& operation, LaneMask lanes, bool waits) {
  const std::uint32_t lane = first_lane(lanes);
  const std::uint32_t number = warp.lanes<std::uint32_t>(operation.registers[kBarrierNumber])[lane];
  if (number >= barriers_.size()) {
    report_barrier(warp, operation, fmt::format("barrier {} of 16", number));
  }
  Barrier& barrier = barriers_[number];
  open_barrier(warp, operation, barrier);
  barrier.arrived +=
      barrier.whole_block ? static_cast<std::uint32_t>(std::popcount(lanes)) : kLanes;
  if (barrier.arrived > barrier.expected) {
    report_barrier(warp, operation,
                   fmt::format("barrier {}: {} threads have come, and {} were expected", number,
                               barrier.arrived, barrier.expected));
  }
  if (operation.modifiers != kNoReduction) {
    const LaneMask predicate = warp.predicate(operation.registers[kBarrierPredicate]);
    const LaneMask truth = operation.immediate != 0 ? ~predicate : predicate;
    barrier.true_predicates += static_cast<std::uint32_t>(std::popcount(truth & lanes));
  }
  note_progress();
  if (waits) {
    barrier.waiting[warp.index()] |= lanes;
    waits_[warp.index()] = true;
  } else {
    std::vector<LaneMask> arrived(warps_.size());
    arrived[warp.index()] = lanes;
    for (MemoryObserver* observer : launch_.observers) observer->arrive(*this, number, arrived);
  }
  if (barrier.arrived == barrier.expected) complete_barrier(number);
}

// The first to come says how many are expected; the others must agree.
void Block::open_barrier(Warp& warp, const Operation& operation, Barrier& barrier) {
  const std::uint32_t place = operation.registers[kBarrierThreads];
  const bool whole_block = place == kNone;
  if (whole_block && warp.live_lanes() != warp.first_lanes()) {
    report_barrier(warp, operation, "barrier while other threads of the block have returned");
  }
  const std::uint32_t expected =
      whole_block ? thread_count_
                  : warp.lanes<std::uint32_t>(place)[first_lane(warp.current_lanes())];
  if (barrier.expected == 0) {
    if (expected == 0 || (!whole_block && expected % kLanes != 0)) {
      report_barrier(warp, operation,
                     fmt::format("a barrier of {} threads: a multiple of 32 is needed", expected));
    }
    barrier = {.whole_block = whole_block, .expected = expected};
    barrier.waiting.resize(warps_.size());
    barrier.operation = &operation;
    barrier.program = &warp.program();
    return;
  }
  if (barrier.expected != expected || barrier.whole_block != whole_block) {
    report_barrier(warp, operation,
                   fmt::format("a barrier of {} threads here, of {} threads at {}", expected,
                               barrier.expected, user_line(*barrier.program, *barrier.operation)));
  }
  if (whole_block &&
      !same_source(*barrier.program, *barrier.operation, warp.program(), operation)) {
    report_barrier(warp, operation,
                   fmt::format("divergent barrier: other warps of the block wait at {}",
                               user_line(*barrier.program, *barrier.operation)));
  }
}

void Block::complete_barrier(std::uint32_t number) {
  Barrier barrier = std::move(barriers_[number]);
  barriers_[number] = {};
  for (MemoryObserver* observer : launch_.observers) {
    observer->join(*this, number, barrier.waiting);
  }
  for (Warp& warp : warps_) {
    const LaneMask lanes = barrier.waiting[warp.index()];
    if (lanes == 0) continue;
    waits_[warp.index()] = false;
    finish_reduction(warp, lanes, barrier);
  }
}

// bar.red: every thread learns how many predicates were true, whether all, whether any.
void Block::finish_reduction(Warp& warp, LaneMask lanes, const Barrier& barrier) {
  const Operation& operation = warp.current_operation();
  const std::uint32_t place = operation.registers[kBarrierResult];
  switch (operation.modifiers) {
    case kCountTrue: {
      std::uint32_t* to = warp.lanes<std::uint32_t>(place);
      for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
        if ((lanes >> lane & 1) != 0) to[lane] = barrier.true_predicates;
      }
      return;
    }
    case kAllTrue:
      return warp.set_predicate(place, barrier.true_predicates == barrier.expected ? lanes : 0,
                                lanes);
    case kAnyTrue:
      return warp.set_predicate(place, barrier.true_predicates != 0 ? lanes : 0, lanes);
    default:
      return;
  }
}

}  // namespace lodestone::ptx
