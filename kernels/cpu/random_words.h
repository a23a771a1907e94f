#pragma once
// Many blocks of RandomKey::at at once.
#include <array>
#include <cstdint>

#include "engine/core/philox.h"

namespace lodestone::kernels {

inline constexpr int kRandomLanes = 16;
// Words of blocks first_block .. first_block + kRandomLanes - 1: word w of block b is at 4 b + w.
using RandomWords = std::array<std::uint32_t, 4 * kRandomLanes>;

// Equals key.at(row, first_block + b, plane)[w] for every b and w.
RandomWords random_words(RandomKey key, std::uint64_t row, std::uint32_t first_block,
                         std::uint32_t plane);

// The same words compared: bit i is set iff word i is below `threshold`.
std::uint64_t words_below(std::uint32_t threshold, RandomKey key, std::uint64_t row,
                          std::uint32_t first_block, std::uint32_t plane);

// Of one kind of processor each; random_words chooses.
struct RandomCounter {
  std::uint32_t key0, key1, row_low, row_high, first_block, plane;
};
void random_words_portable(const RandomCounter& counter, std::uint32_t* words);
void random_words_avx512(const RandomCounter& counter, std::uint32_t* words);

}  // namespace lodestone::kernels
