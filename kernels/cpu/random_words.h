#pragma once
// Many blocks of RandomKey::at at once.
#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/core/philox.h"

namespace lodestone::kernels {

inline constexpr int kRandomLanes = 16;
// Words of blocks first_block .. first_block + kRandomLanes - 1: word w of block b is at 4 b + w.
using RandomWords = std::array<std::uint32_t, std::size_t{4} * kRandomLanes>;

// Equals key.at(row, first_block + b, plane)[w] for every b and w.
RandomWords random_words(RandomKey key, std::uint64_t row, std::uint32_t first_block,
                         std::uint32_t plane);

struct RandomCounter {
  std::uint32_t key0, key1, row_low, row_high, first_block, plane;
};

// Words of several rows, from the same block on, compared with a threshold.
struct WordComparison {
  RandomCounter counter;  // its row is not read
  std::uint32_t threshold;
  const std::int64_t* rows;  // [row_count]
  std::int64_t row_count;
  std::int64_t masks;        // 64-bit masks of a row: words of 16 blocks each
  std::int64_t mask_stride;  // from one row's masks to the next one's
};
// Bit i of masks[r * mask_stride + m] is set iff word i % 4 of block first_block + 16 m + i / 4 of
// row r is below the threshold.
void words_below(const WordComparison& comparison, std::uint64_t* masks);

// Of one kind of processor each; the functions above choose.
void random_words_portable(const RandomCounter& counter, std::uint32_t* words);
void random_words_avx512(const RandomCounter& counter, std::uint32_t* words);
void words_below_portable(const WordComparison& comparison, std::uint64_t* masks);
void words_below_avx512(const WordComparison& comparison, std::uint64_t* masks);

}  // namespace lodestone::kernels
