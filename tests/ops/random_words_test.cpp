#include "kernels/cpu/random_words.h"

#include <gtest/gtest.h>

#include <vector>

namespace lodestone::kernels {
namespace {

TEST(RandomWords, AreThoseOfTheKeyOneBlockAtATime) {
  const RandomKey key = RandomKey::derive(42, 1'000'000'007, 3);
  const std::uint64_t row = static_cast<std::uint64_t>(row_key(std::int64_t{1} << 40, 2047));
  for (const std::uint32_t plane : {0u, 11u})
    for (const std::uint32_t first : {0u, 7u, 0xfffffff0u}) {
      const RandomWords words = random_words(key, row, first, plane);
      for (std::uint32_t b = 0; b < kRandomLanes; ++b)
        for (std::uint32_t w = 0; w < 4; ++w)
          EXPECT_EQ(words[4 * b + w], key.at(row, first + b, plane)[w]) << b << ' ' << w;
    }
}

TEST(RandomWords, AreTheSameOnEveryProcessor) {
  for (const std::uint32_t some : {0u, 1u, 0x80000000u, 0xffffffffu, 0x12345678u}) {
    const RandomCounter counter{some, ~some, some * 3, some ^ 0x5555u, some + 1, some >> 7};
    RandomWords portable, chosen;
    random_words_portable(counter, portable.data());
    chosen = random_words({(std::uint64_t{counter.key1} << 32) | counter.key0},
                          (std::uint64_t{counter.row_high} << 32) | counter.row_low,
                          counter.first_block, counter.plane);
    EXPECT_EQ(portable, chosen) << some;
  }
}

// Bit by bit against the key; masks beyond those asked for must stay.
TEST(RandomWords, AreComparedInEveryWay) {
  const RandomKey key = RandomKey::derive(7, 9, 1);
  const std::vector<std::int64_t> rows{
      static_cast<std::int64_t>(row_key((std::int64_t{1} << 42) + 5, 2048)), 0, 77};
  const std::uint32_t first_block = 24, plane = 11, threshold = 0x60000000u;
  const RandomCounter counter{static_cast<std::uint32_t>(key.value),
                              static_cast<std::uint32_t>(key.value >> 32),
                              0,
                              0,
                              first_block,
                              plane};
  for (const auto compare : {words_below_portable, words_below}) {
    std::vector<std::uint64_t> masks(9, 42);
    compare({counter, threshold, rows.data(), 3, 2, 3}, masks.data());
    for (std::size_t r = 0; r < 3; ++r) {
      EXPECT_EQ(masks[3 * r + 2], 42u);
      for (std::uint32_t i = 0; i < 128; ++i)
        ASSERT_EQ((masks[3 * r + i / 64] >> (i % 64) & 1) == 1,
                  key.at(static_cast<std::uint64_t>(rows[r]), first_block + i / 4, plane)[i % 4] <
                      threshold)
            << "row " << r << ", word " << i;
    }
  }
}

}  // namespace
}  // namespace lodestone::kernels
