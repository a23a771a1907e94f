#pragma once
// Counter-based random numbers: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3" (SC 2011). Every number of a run is a pure function of (seed, step, op, index), so it
// does not depend on threads, tiles, micro-batches or ranks. constexpr, so that CUDA code shares
// it.
#include <array>
#include <cstdint>

namespace lodestone {

using PhiloxBlock = std::array<std::uint32_t, 4>;

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * counter[0];
    const std::uint64_t b = 0xCD9E8D57ull * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// The key of one random op of one step.
struct RandomKey {
  std::uint64_t value = 0;

  static constexpr RandomKey derive(std::uint64_t seed, std::uint64_t step, std::uint32_t op) {
    const PhiloxBlock block = philox4x32(
        {static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), op, 0x6b657973u},
        static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
    return {(std::uint64_t{block[1]} << 32) | block[0]};
  }
  // Four numbers at index (row, block, plane): an op with more than four numbers a row counts
  // blocks; attention counts (head, block of keys).
  constexpr PhiloxBlock at(std::uint64_t row, std::uint32_t block, std::uint32_t plane = 0) const {
    return philox4x32(
        {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), block, plane},
        static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32));
  }
};

// Hands out one key per random op of a step, in program order.
class KeySequence {
 public:
  constexpr KeySequence(std::uint64_t seed, std::uint64_t step) : seed_(seed), step_(step) {}
  constexpr RandomKey next() { return RandomKey::derive(seed_, step_, op_++); }

 private:
  std::uint64_t seed_, step_;
  std::uint32_t op_ = 0;
};

// The row part of an index: which cell of the global batch, and where in that cell (CLS included).
// position < 2^20, ordinal < 2^43.
constexpr std::uint64_t row_key(std::int64_t ordinal, std::int64_t position) {
  return (static_cast<std::uint64_t>(ordinal) << 20) | static_cast<std::uint64_t>(position);
}

// In [0, 1), 32 bits of it.
constexpr double uniform(std::uint32_t word) {
  return word * 0x1p-32;
}
// In [0, 1), 53 bits of it.
constexpr double uniform(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(((std::uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

// A word below this drops its element: dropped with probability p to within 2^-32.
constexpr std::uint32_t drop_threshold(float probability) {
  return static_cast<std::uint32_t>(static_cast<double>(probability) * 4294967296.0);
}

}  // namespace lodestone
