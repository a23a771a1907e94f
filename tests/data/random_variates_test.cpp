// Moments within 5 standard errors of the theory and chi-square of the counts, at fixed seeds.
#include "data/random_variates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace lodestone {
namespace {

constexpr std::int64_t kDraws = 200000;

struct Moments {
  double mean, variance, fourth;  // fourth: the fourth central moment
};

Moments moments_of(const std::function<double(VariateStream&)>& draw, std::uint32_t op) {
  const RandomKey key = RandomKey::derive(7, 0, op);
  std::vector<double> values;
  double sum = 0;
  for (std::int64_t i = 0; i < kDraws; ++i) {
    VariateStream stream(key, static_cast<std::uint64_t>(i));
    values.push_back(draw(stream));
    sum += values.back();
  }
  Moments result{sum / kDraws, 0, 0};
  for (double value : values) {
    const double square = (value - result.mean) * (value - result.mean);
    result.variance += square / kDraws;
    result.fourth += square * square / kDraws;
  }
  return result;
}

void expect_moments(const Moments& found, double mean, double variance) {
  EXPECT_NEAR(found.mean, mean, 5 * std::sqrt(variance / kDraws));
  const double error = std::sqrt((found.fourth - found.variance * found.variance) / kDraws);
  EXPECT_NEAR(found.variance, variance, 5 * error);
}

TEST(RandomVariates, NormalHasItsMomentsAndTails) {
  const Moments found = moments_of(normal_variate, 1);
  expect_moments(found, 0, 1);
  EXPECT_NEAR(found.fourth, 3, 5 * std::sqrt(96.0 / kDraws));
}

TEST(RandomVariates, GammaHasItsMoments) {
  std::uint32_t op = 10;
  for (double shape : {0.05, 0.5, 1.0, 2.5, 40.0}) {
    SCOPED_TRACE(shape);
    expect_moments(moments_of([&](VariateStream& s) { return gamma_variate(s, shape); }, op++),
                   shape, shape);
  }
}

TEST(RandomVariates, PoissonHasItsMoments) {
  std::uint32_t op = 30;
  for (double mean : {0.01, 0.7, 5.0, 9.99, 10.0, 31.0, 500.0, 1e6}) {
    SCOPED_TRACE(mean);
    expect_moments(
        moments_of([&](VariateStream& s) { return static_cast<double>(poisson_variate(s, mean)); },
                   op++),
        mean, mean);
  }
}

TEST(RandomVariates, NegativeBinomialHasItsMoments) {
  std::uint32_t op = 50;
  for (double mean : {0.2, 3.0, 80.0})
    for (double dispersion : {0.0, 0.1, 1.0, 4.0}) {
      SCOPED_TRACE(testing::Message() << mean << " " << dispersion);
      expect_moments(
          moments_of(
              [&](VariateStream& s) {
                return static_cast<double>(negative_binomial_variate(s, mean, dispersion));
              },
              op++),
          mean, mean + dispersion * mean * mean);
    }
}

// Pearson's statistic of the observed counts 0, 1, .., with everything above the last bin of at
// least ten expected pooled; its mean is the degrees of freedom, its variance twice that.
void expect_poisson_counts(double mean, std::uint32_t op) {
  const RandomKey key = RandomKey::derive(11, 0, op);
  std::vector<double> observed(static_cast<std::size_t>(mean + 12 * std::sqrt(mean) + 20));
  for (std::int64_t i = 0; i < kDraws; ++i) {
    VariateStream stream(key, static_cast<std::uint64_t>(i));
    ++observed.at(static_cast<std::size_t>(poisson_variate(stream, mean)));
  }
  double statistic = 0, bins = 0, pooled_expected = 0, pooled_observed = 0;
  for (std::size_t k = 0; k < observed.size(); ++k) {
    const double at = static_cast<double>(k);
    const double expected = kDraws * std::exp(at * std::log(mean) - mean - std::lgamma(at + 1));
    if (expected < 10) {
      pooled_expected += expected;
      pooled_observed += observed[k];
      continue;
    }
    statistic += (observed[k] - expected) * (observed[k] - expected) / expected;
    ++bins;
  }
  const double rest = pooled_observed - pooled_expected;
  if (pooled_expected > 1) statistic += rest * rest / pooled_expected, ++bins;
  EXPECT_LT(statistic, bins - 1 + 4 * std::sqrt(2 * (bins - 1))) << bins << " bins";
}

TEST(RandomVariates, PoissonCountsFollowTheLaw) {
  std::uint32_t op = 70;
  for (double mean : {0.3, 1.0, 4.0, 9.5, 10.0, 15.0, 60.0}) {
    SCOPED_TRACE(mean);
    expect_poisson_counts(mean, op++);
  }
}

TEST(RandomVariates, ZeroMeanIsZero) {
  VariateStream stream(RandomKey::derive(1, 2, 3), 4);
  EXPECT_EQ(poisson_variate(stream, 0), 0);
  EXPECT_EQ(negative_binomial_variate(stream, 0, 0.5), 0);
}

TEST(RandomVariates, BelowCoversItsRangeEvenly) {
  VariateStream stream(RandomKey::derive(5, 0, 0), 0);
  std::vector<double> seen(7);
  for (int i = 0; i < 70000; ++i) ++seen.at(static_cast<std::size_t>(stream.below(7)));
  for (double count : seen) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000 * 6.0 / 7));
}

TEST(RandomVariates, StreamsDependOnTheirNameAlone) {
  const RandomKey key = RandomKey::derive(3, 0, 0);
  VariateStream a(key, 5, 9), again(key, 5, 9), other_row(key, 6, 9), other_plane(key, 5, 8);
  const double value = normal_variate(a);
  EXPECT_EQ(value, normal_variate(again));
  EXPECT_NE(value, normal_variate(other_row));
  EXPECT_NE(value, normal_variate(other_plane));
}

}  // namespace
}  // namespace lodestone
