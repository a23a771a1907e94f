#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/loader.h"
#include "tests/data/token_cells.h"

namespace lodestone {
namespace {

using testing::kVocabulary;
using testing::random_cell;
using testing::TokenizedCell;

constexpr std::int64_t kCells = 4000;
constexpr std::int64_t kLength = 100;
constexpr double kProbability = 0.15;

CellTokens view_of(const TokenizedCell& cell) {
  return {cell.tokens, cell.values, cell.species};
}

// `found` of `trials` with this probability: within five standard deviations.
void expect_share(std::int64_t found, std::int64_t trials, double probability) {
  const double n = static_cast<double>(trials);
  const double deviation = std::sqrt(n * probability * (1 - probability));
  EXPECT_NEAR(static_cast<double>(found), n * probability, 5 * deviation);
}

MaskedCell masked(const TokenizedCell& cell, std::int64_t index, std::int64_t epoch = 0,
                  std::uint64_t seed = 11) {
  return mask_cell(view_of(cell), static_cast<std::int64_t>(cell.tokens.size()), index, epoch,
                   kProbability, kVocabulary, seed);
}

// What 4,000 cells of 100 tokens come to. A hidden value tells a random id from one that stayed.
struct Counts {
  std::int64_t chosen = 0, mask = 0, random = 0, kept = 0;
  std::vector<std::int64_t> by_position = std::vector<std::int64_t>(kLength);
  std::vector<std::int64_t> by_id = std::vector<std::int64_t>(kVocabulary);
  std::int64_t pairs = 0;  // neighbours that are both chosen
  double squares = 0;      // of (chosen in a cell - its expectation)
};

Counts count_all() {
  Counts counts;
  for (std::int64_t index = 0; index < kCells; ++index) {
    const TokenizedCell cell = random_cell(index, kLength);
    const MaskedCell shown = masked(cell, index);
    std::int64_t previous = -2;
    for (const std::int64_t position : shown.positions) {
      const auto at = static_cast<std::size_t>(position);
      ++counts.chosen;
      ++counts.by_position[at];
      counts.pairs += position == previous + 1 ? 1 : 0;
      previous = position;
      if (shown.values[at] == cell.values[at]) {
        ++counts.kept;
        EXPECT_EQ(shown.genes[at], static_cast<std::int32_t>(cell.tokens[at]));
        continue;
      }
      EXPECT_EQ(shown.values[at], -1.0f);
      ++(shown.genes[at] == kMaskToken ? counts.mask : counts.random);
      ++counts.by_id[static_cast<std::size_t>(shown.genes[at])];
    }
    const double excess =
        static_cast<double>(shown.positions.size()) - kProbability * static_cast<double>(kLength);
    counts.squares += excess * excess;
  }
  return counts;
}

// Pearson's statistic of counts that should be equal; its mean is the number of bins less one and
// its variance twice that.
double chi_square(std::span<const std::int64_t> counts) {
  double total = 0;
  for (const auto count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const auto count : counts) {
    const double difference = static_cast<double>(count) - expected;
    sum += difference * difference / expected;
  }
  return sum;
}
void expect_uniform(std::span<const std::int64_t> counts) {
  const double freedom = static_cast<double>(counts.size()) - 1;
  EXPECT_NEAR(chi_square(counts), freedom, 5 * std::sqrt(2 * freedom));
}

TEST(Masking, SharesAreThoseOfTheDefinition) {
  const Counts counts = count_all();
  expect_share(counts.chosen, kCells * kLength, kProbability);
  // A random id is <mask> once in a vocabulary.
  expect_share(counts.mask, counts.chosen, 0.8 + 0.1 / static_cast<double>(kVocabulary));
  expect_share(counts.kept, counts.chosen, 0.1);
  expect_share(counts.random, counts.chosen, 0.1 * (1 - 1 / static_cast<double>(kVocabulary)));
}

TEST(Masking, PositionsAreChosenEquallyAndIndependently) {
  const Counts counts = count_all();
  expect_uniform(counts.by_position);
  // Neighbours: overlapping pairs are nearly independent trials.
  expect_share(counts.pairs, kCells * (kLength - 1), kProbability * kProbability);
  // The number chosen in a cell is binomial: its variance is n p (1 - p).
  const double variance = static_cast<double>(kLength) * kProbability * (1 - kProbability);
  EXPECT_NEAR(counts.squares / static_cast<double>(kCells), variance,
              5 * variance * std::sqrt(2.0 / static_cast<double>(kCells)));
}

TEST(Masking, RandomIdsAreUniformOverTheWholeVocabulary) {
  Counts counts = count_all();
  counts.by_id[kMaskToken] = counts.random / (kVocabulary - 1);  // hidden among the masks
  EXPECT_GT(counts.by_id[kPadToken], 0);
  EXPECT_GT(counts.by_id[kVocabulary - 1], 0);
  expect_uniform(counts.by_id);
}

TEST(Masking, DependsOnSeedCellEpochAndPositionAlone) {
  const TokenizedCell cell = random_cell(1, kLength);
  const TokenizedCell other = random_cell(2, kLength);
  const auto positions = masked(cell, 5).positions;
  EXPECT_EQ(masked(cell, 5).genes, masked(cell, 5).genes);
  EXPECT_EQ(masked(other, 5).positions, positions);  // not on the content
  EXPECT_NE(masked(cell, 6).positions, positions);
  EXPECT_NE(masked(cell, 5, 1).positions, positions);
  EXPECT_NE(masked(cell, 5, 0, 12).positions, positions);
  // A shorter cut leaves the choice at the positions that remain.
  const MaskedCell half =
      mask_cell(view_of(cell), kLength / 2, 5, 0, kProbability, kVocabulary, 11);
  const auto expected = std::vector<std::int32_t>(
      positions.begin(), std::lower_bound(positions.begin(), positions.end(), kLength / 2));
  EXPECT_EQ(half.positions, expected);
  EXPECT_EQ(half.genes.size(), static_cast<std::size_t>(kLength / 2));
}

TEST(Masking, ACellOfOneTokenMayOrMayNotBeChosen) {
  const TokenizedCell cell = random_cell(1, 1);
  std::int64_t chosen = 0;
  for (std::int64_t index = 0; index < kCells; ++index) {
    const MaskedCell shown = masked(cell, index);
    ASSERT_EQ(shown.genes.size(), 1u);
    chosen += static_cast<std::int64_t>(shown.positions.size());
  }
  expect_share(chosen, kCells, kProbability);
}

TEST(Masking, ProbabilitiesOfZeroAndOne) {
  const TokenizedCell cell = random_cell(1, kLength);
  const auto with = [&](double probability) {
    return mask_cell(view_of(cell), kLength, 0, 0, probability, kVocabulary, 11);
  };
  EXPECT_TRUE(with(0).positions.empty());
  EXPECT_EQ(with(0).values, cell.values);
  EXPECT_EQ(with(1).positions.size(), static_cast<std::size_t>(kLength));
}

}  // namespace
}  // namespace lodestone
