#include "kernels/cpu/power_of_two.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace lodestone::kernels {
namespace {

// Calls f for every 97th float from -limit to limit.
template <class F>
void for_floats(float limit, F&& f) {
  for (std::uint32_t bits = 0; bits <= std::bit_cast<std::uint32_t>(limit); bits += 97)
    for (const float sign : {1.0f, -1.0f}) f(sign * std::bit_cast<float>(bits));
}

double relative_error(float got, double expected) {
  return std::abs(got - expected) / expected;
}

TEST(PowerOfTwo, KeepsItsBound) {
  double worst = 0;
  for_floats(100, [&](float x) {
    worst = std::max(worst, relative_error(power_of_two(x), std::exp2(double{x})));
  });
  EXPECT_LT(worst, 1.5e-7);
}

TEST(PowerOfTwo, ExponentialBelowOneKeepsItsBound) {
  double worst = 0;
  for_floats(69, [&](float x) {
    if (x > 0) return;
    const double error = relative_error(exponential_below_one(x), std::exp(double{x}));
    worst = std::max(worst, error / (1.5e-7 + 1e-7 * std::abs(double{x})));
  });
  EXPECT_LT(worst, 1);
  EXPECT_EQ(exponential_below_one(0.0f), 1.0f);
}

TEST(PowerOfTwo, FarBelowItStays) {
  EXPECT_EQ(exponential_below_one(-std::numeric_limits<float>::infinity()), 0x1p-100f);
  EXPECT_EQ(exponential_below_one(-1e9f), 0x1p-100f);
  EXPECT_TRUE(std::isnan(exponential_below_one(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace lodestone::kernels
