#pragma once
// Switches of the instrument, from the environment (see tests/gpu/README.md) or set by a test.
#include <cstdint>
#include <optional>
#include <string>

namespace lodestone::ptx {

struct TraceTarget {
  std::uint64_t block = 0;   // linear
  std::uint32_t thread = 0;  // linear
};

struct Options {
  bool check_races = true;        // happens-before, copies in flight
  bool check_initialised = true;  // reads of shared memory that nobody wrote
  std::uint64_t seed = 0;         // 0: warps in order; otherwise a random order and preemption
  std::uint32_t quantum = 200;    // with a seed: most instructions between preemptions
  std::uint64_t most_instructions = 2'000'000'000;  // of a warp in one block; then a finding
  std::optional<TraceTarget> trace;
  bool print_metrics = false;  // a line per launch
};

// LODESTONE_EMU_*; throws kInvalidArgument for a value that is none.
Options options_from_environment();

// Of this process: from the environment, read once; a test may change them between launches.
Options& options();

}  // namespace lodestone::ptx
