#include "engine/core/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace lodestone {
namespace {

// Known answers of the authors' Random123 library (kat_vectors, philox4x32 of 10 rounds).
TEST(Philox, KnownAnswers) {
  constexpr std::uint32_t kOnes = 0xffffffffu;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0, 0),
            (PhiloxBlock{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, kOnes, kOnes),
            (PhiloxBlock{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(
      philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u),
      (PhiloxBlock{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(Philox, IsAConstantExpression) {
  static_assert(philox4x32({0, 0, 0, 0}, 0, 0)[0] == 0x6627e8d5u);
  static_assert(drop_threshold(0.5f) == 0x80000000u);
  static_assert(drop_threshold(0) == 0);
}

TEST(RandomKey, DependsOnSeedStepAndOp) {
  std::set<std::uint64_t> keys;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (const std::uint64_t step : {0ull, 1ull, 1ull << 32})
      for (const std::uint32_t op : {0u, 1u}) keys.insert(RandomKey::derive(seed, step, op).value);
  EXPECT_EQ(keys.size(), 18u);
}

TEST(RandomKey, BlocksDependOnEveryPartOfTheIndex) {
  const RandomKey key = RandomKey::derive(1, 2, 3);
  std::set<PhiloxBlock> blocks;
  for (const std::uint64_t row : {0ull, 1ull, 1ull << 32})
    for (const std::uint32_t block : {0u, 1u})
      for (const std::uint32_t plane : {0u, 1u}) blocks.insert(key.at(row, block, plane));
  EXPECT_EQ(blocks.size(), 12u);
  EXPECT_EQ(key.at(5, 6), key.at(5, 6, 0));
}

TEST(KeySequence, IsTheProgramOrder) {
  KeySequence keys(7, 9);
  EXPECT_EQ(keys.next().value, RandomKey::derive(7, 9, 0).value);
  EXPECT_EQ(keys.next().value, RandomKey::derive(7, 9, 1).value);
}

TEST(RowKey, CellsAndPositionsDoNotMeet) {
  EXPECT_EQ(row_key(0, (1 << 20) - 1) + 1, row_key(1, 0));
  EXPECT_EQ(row_key(3, 5), (3u << 20) + 5u);
}

TEST(Uniform, LiesInZeroToOneWithTheRightMoments) {
  EXPECT_EQ(uniform(0u), 0.0);
  EXPECT_LT(uniform(0xffffffffu), 1.0);
  EXPECT_LT(uniform(0xffffffffu, 0xffffffffu), 1.0);
  const RandomKey key = RandomKey::derive(1, 2, 3);
  double sum = 0, squares = 0;
  constexpr int kBlocks = 50000;
  for (std::uint32_t b = 0; b < kBlocks; ++b)
    for (const std::uint32_t word : key.at(0, b)) {
      sum += uniform(word);
      squares += uniform(word) * uniform(word);
    }
  const double n = 4.0 * kBlocks;
  EXPECT_NEAR(sum / n, 0.5, 4 * std::sqrt(1 / 12.0 / n));
  EXPECT_NEAR(squares / n, 1 / 3.0, 4 * std::sqrt(4 / 45.0 / n));
}

}  // namespace
}  // namespace lodestone
