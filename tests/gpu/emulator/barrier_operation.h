#pragma once
// How an operation describes a barrier: what its registers and modifiers mean.
#include <cstdint>

namespace lodestone::ptx {

// Operation::registers. The threads are kNone when the whole block is meant.
enum BarrierRegister : std::uint8_t {
  kBarrierResult,
  kBarrierNumber,
  kBarrierThreads,
  kBarrierPredicate,  // negated when Operation::immediate is 1
};

// Operation::modifiers.
enum BarrierReduction : std::uint8_t { kNoReduction, kCountTrue, kAllTrue, kAnyTrue };

}  // namespace lodestone::ptx
