// Runs the blocks of a launch, one after the other, and the warps of a block in turns.
#include "tests/gpu/emulator/launch.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

// Without a seed a warp runs on until it must wait, or this long: another may wait for what it
// does.
constexpr std::uint64_t kFixedQuantum = 100'000;

class BlockRun {
 public:
  BlockRun(Block& block, std::mt19937_64& random)
      : block_(block), random_(random), options_(block.launch().options) {}

  LaunchCounts run() {
    for (MemoryObserver* observer : block_.launch().observers) observer->begin_block(block_);
    while (turn()) {
    }
    block_.asynchronous().end(block_);
    for (MemoryObserver* observer : block_.launch().observers) observer->end_block(block_);
    LaunchCounts counts;
    for (const Warp& warp : block_.warps()) {
      counts.warp_instructions += warp.instructions();
      counts.thread_instructions += warp.lane_instructions();
    }
    return counts;
  }

 private:
  bool turn();
  void resolve_standstill();
  [[noreturn]] void report_deadlock();
  std::uint64_t quantum() {
    return options_.seed == 0 ? kFixedQuantum : 1 + random_() % options_.quantum;
  }

  Block& block_;
  std::mt19937_64& random_;
  const Options& options_;
};

// Every warp that can runs once; false when all have finished.
bool BlockRun::turn() {
  std::vector<std::uint32_t> ready;
  bool unfinished = false;
  for (const Warp& warp : block_.warps()) {
    unfinished = unfinished || !warp.finished();
    if (!warp.finished() && !block_.waits_at_barrier(warp.index())) ready.push_back(warp.index());
  }
  if (!unfinished) return false;
  if (options_.seed != 0) std::ranges::shuffle(ready, random_);
  const std::uint64_t before = block_.progress();
  bool moved = false;
  for (const std::uint32_t index : ready) {
    moved = block_.warps()[index].run(quantum()) != Stop::kPoll || moved;
  }
  // With a seed, copies may also end early.
  if (options_.seed != 0 && random_() % 4 == 0) block_.asynchronous().advance(block_, random_());
  if (!moved && block_.progress() == before) resolve_standstill();
  return true;
}

void BlockRun::resolve_standstill() {
  const std::uint64_t choice = options_.seed == 0 ? 0 : random_();
  if (!block_.asynchronous().advance(block_, choice)) report_deadlock();
}

void BlockRun::report_deadlock() {
  const Warp* shown = nullptr;
  std::string others;
  std::size_t finished = 0;
  for (const Warp& warp : block_.warps()) {
    if (warp.finished()) {
      ++finished;
      continue;
    }
    if (shown == nullptr) shown = &warp;
    others += fmt::format("{} warp {} at {}", others.empty() ? ":" : ",", warp.index(),
                          user_line(warp.program(), warp.current_operation()));
  }
  check(shown != nullptr, "a block without running warps is deadlocked");
  const bool at_barrier = block_.waits_at_barrier(shown->index());
  const auto lane = static_cast<std::uint32_t>(std::countr_zero(shown->live_lanes()));
  if (at_barrier && finished > 0) {
    report(*shown, shown->current_operation(), lane, FindingKind::kDivergence,
           fmt::format("barrier while other threads of the block have returned: {} warps have "
                       "finished; waiting{}",
                       finished, others));
  }
  report(*shown, shown->current_operation(), lane, FindingKind::kDeadlock,
         fmt::format("deadlock: every warp of the block waits{}", others));
}

LaunchCounts run_blocks(const Launch& launch) {
  std::mt19937_64 random(launch.options.seed);
  std::vector<std::uint64_t> order(launch.grid.count());
  std::iota(order.begin(), order.end(), 0);
  if (launch.options.seed != 0) std::ranges::shuffle(order, random);
  LaunchCounts counts;
  for (const std::uint64_t index : order) {
    Block block(launch, index);
    const LaunchCounts of_block = BlockRun(block, random).run();
    counts.warp_instructions += of_block.warp_instructions;
    counts.thread_instructions += of_block.thread_instructions;
  }
  return counts;
}

}  // namespace

LaunchCounts run_launch(const Launch& launch) {
  check(launch.parameters.size() == launch.image->parameter_bytes(),
        "{}: {} bytes of parameters, expected {}", launch.name(), launch.parameters.size(),
        launch.image->parameter_bytes());
  for (MemoryObserver* observer : launch.observers) observer->begin_launch(launch);
  const LaunchCounts counts = run_blocks(launch);
  for (MemoryObserver* observer : launch.observers) observer->end_launch(launch);
  return counts;
}

}  // namespace lodestone::ptx
