#include "train/principal_components.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/core/error.h"
#include "engine/core/philox.h"

namespace lodestone {
namespace {

double noise(std::uint64_t seed, std::int64_t row, std::int64_t column) {
  const RandomKey key = RandomKey::derive(seed, 0, 0);
  const auto words = key.at(static_cast<std::uint64_t>(row), static_cast<std::uint32_t>(column));
  return uniform(words[0]) + uniform(words[1]) + uniform(words[2]) + uniform(words[3]) - 2;
}

// Rows = mean + sum over k of spread_k t_k direction_k, directions the Hartley basis (orthonormal).
std::vector<float> planted(std::int64_t rows, std::int64_t columns,
                           const std::vector<double>& spread, double noise_size) {
  std::vector<float> values;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column) {
      double value = 5 + 0.01 * static_cast<double>(column);
      for (std::size_t k = 0; k < spread.size(); ++k) {
        const double angle = 2 * M_PI * static_cast<double>(k + 1) * static_cast<double>(column) /
                             static_cast<double>(columns);
        value += spread[k] * noise(7, row, static_cast<std::int64_t>(k)) *
                 (std::cos(angle) + std::sin(angle)) / std::sqrt(static_cast<double>(columns));
      }
      values.push_back(static_cast<float>(value + noise_size * noise(8, row, column)));
    }
  return values;
}

double dot(const float* a, const float* b, std::int64_t size) {
  double sum = 0;
  for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void expect_consistent(const PrincipalComponents& found, const std::vector<float>& values,
                       std::int64_t columns) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  for (std::int64_t a = 0; a < found.components; ++a) {
    const float* loading = found.loadings.data() + a * columns;
    for (std::int64_t b = 0; b <= a; ++b)
      EXPECT_NEAR(dot(loading, found.loadings.data() + b * columns, columns), a == b ? 1 : 0, 1e-5);
    double variance = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      double score = 0;
      for (std::int64_t c = 0; c < columns; ++c)
        score += (static_cast<double>(values[static_cast<std::size_t>(row * columns + c)]) -
                  found.mean[static_cast<std::size_t>(c)]) *
                 static_cast<double>(loading[c]);
      EXPECT_NEAR(found.scores[static_cast<std::size_t>(row * found.components + a)], score, 1e-3);
      variance += score * score / static_cast<double>(rows - 1);
    }
    EXPECT_NEAR(found.explained_variance[static_cast<std::size_t>(a)], variance, 1e-4 * variance);
  }
}

TEST(PrincipalComponents, ExactInTwoDimensions) {
  // Points on the line y = 2 x + 1: one direction, (1, 2) / sqrt 5.
  const std::vector<float> values = {0, 1, 1, 3, 2, 5, 3, 7};
  const PrincipalComponents found = principal_components(values, 2, 2);
  EXPECT_NEAR(found.loadings[0], 1 / std::sqrt(5.0), 1e-6);
  EXPECT_NEAR(found.loadings[1], 2 / std::sqrt(5.0), 1e-6);
  // The variance along a component is that of its scores, which are f32: six digits.
  const double variance = 5 * (2.25 + 0.25) * 2 / 3;
  EXPECT_NEAR(found.explained_variance[0], variance, 1e-6 * variance);
  EXPECT_NEAR(found.explained_variance[1], 0, 1e-6);
  EXPECT_NEAR(found.total_variance, variance, 1e-12);
  EXPECT_NEAR(found.scores[0], -1.5 * std::sqrt(5.0), 1e-5);
}

TEST(PrincipalComponents, TallAndWideAgreeWithTheirDefinition) {
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{200, 30}, {30, 200}}) {
    const auto values = planted(rows, columns, {9, 6, 4, 2}, 0.2);
    expect_consistent(principal_components(values, columns, 5), values, columns);
  }
}

TEST(PrincipalComponents, RandomisedFindsPlantedDirectionsAndTheirOrder) {
  const std::int64_t rows = 1300, columns = 600;
  const std::vector<double> spread = {20, 14, 10, 7};
  const auto values = planted(rows, columns, spread, 0.1);
  const PrincipalComponents found = principal_components(values, columns, 4);
  expect_consistent(found, values, columns);
  // Each planted score has variance 4 / 12, and noise adds to it 0.01 / 3.
  for (std::size_t k = 0; k < spread.size(); ++k)
    EXPECT_NEAR(found.explained_variance[k], spread[k] * spread[k] / 3,
                0.15 * spread[k] * spread[k] / 3);
}

TEST(PrincipalComponents, RandomisedAgreesWithExact) {
  // 600 columns whose last 100 are zero: the exact path sees the first 500 only.
  const std::int64_t rows = 700;
  const auto narrow = planted(rows, 500, {20, 14, 10, 7}, 0.3);
  std::vector<float> wide;
  for (std::int64_t row = 0; row < rows; ++row) {
    wide.insert(wide.end(), narrow.begin() + row * 500, narrow.begin() + (row + 1) * 500);
    wide.insert(wide.end(), 100, 0.0f);
  }
  const auto exact = principal_components(narrow, 500, 4);
  const auto randomised = principal_components(wide, 600, 4);
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(randomised.explained_variance[k], exact.explained_variance[k],
                1e-4 * exact.explained_variance[k]);
  for (std::size_t i = 0; i < exact.scores.size(); ++i)
    EXPECT_NEAR(randomised.scores[i], exact.scores[i], 0.02);
}

TEST(PrincipalComponents, SignsAreFixedAndRunsRepeat) {
  const auto values = planted(600, 520, {9, 6}, 0.5);
  const auto first = principal_components(values, 520, 3),
             again = principal_components(values, 520, 3);
  EXPECT_EQ(first.scores, again.scores);
  for (std::int64_t k = 0; k < 3; ++k) {
    float largest = 0;
    for (std::int64_t c = 0; c < 520; ++c) {
      const float loading = first.loadings[static_cast<std::size_t>(k * 520 + c)];
      if (std::abs(loading) > std::abs(largest)) largest = loading;
    }
    EXPECT_GT(largest, 0);
  }
}

TEST(PrincipalComponents, ConstantRowsHaveNoVariance) {
  const std::vector<float> values(30, 2.5f);
  const auto found = principal_components(values, 3, 2);
  EXPECT_EQ(found.total_variance, 0);
  for (float score : found.scores) EXPECT_EQ(score, 0);
}

TEST(PrincipalComponents, RefusesWhatHasNone) {
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<float> broken = {1, 2, 3, std::numeric_limits<float>::infinity()};
  EXPECT_THROW(principal_components(values, 4, 1), Error);
  EXPECT_THROW(principal_components(values, 3, 1), Error);
  EXPECT_THROW(principal_components(values, 2, 3), Error);
  EXPECT_THROW(principal_components(values, 2, 0), Error);
  EXPECT_THROW(principal_components(broken, 2, 1), Error);
}

}  // namespace
}  // namespace lodestone
