#include "kernels/cpu/elementary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace lodestone::kernels {
namespace {

// Calls f for every 97th float that is finite.
template <class F>
void for_floats(F&& f) {
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 97) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isfinite(x)) f(x);
  }
}

double relative_error(float got, double expected) {
  return std::abs(got - expected) / std::abs(expected);
}

TEST(Elementary, ExponentialKeepsItsBound) {
  double worst = 0;
  for_floats([&](float x) {
    if (x < -86.9f)
      EXPECT_EQ(exponential(x), 0.0f) << x;
    else if (x > 88.73f)
      EXPECT_EQ(exponential(x), std::numeric_limits<float>::infinity()) << x;
    else if (x < 88.72f)
      worst = std::max(worst, relative_error(exponential(x), std::exp(double{x})));
  });
  EXPECT_LT(worst, 1.3e-7);
}

TEST(Elementary, ErrorFunctionKeepsItsBound) {
  double worst = 0;
  for_floats(
      [&](float x) { worst = std::max(worst, std::abs(error_function(x) - std::erf(double{x}))); });
  EXPECT_LT(worst, 1.5e-7);
}

TEST(Elementary, HyperbolicTangentKeepsItsBound) {
  double worst = 0;
  for_floats([&](float x) {
    if (std::abs(x) > 1e-37f)
      worst = std::max(worst, relative_error(hyperbolic_tangent(x), std::tanh(double{x})));
  });
  EXPECT_LT(worst, 2e-7);
}

TEST(Elementary, LimitsAndNaN) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(exponential(-kInfinity), 0.0f);
  EXPECT_EQ(exponential(kInfinity), kInfinity);
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_EQ(error_function(-kInfinity), -1.0f);
  EXPECT_EQ(hyperbolic_tangent(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(exponential(kNaN)));
  EXPECT_TRUE(std::isnan(error_function(kNaN)));
  EXPECT_TRUE(std::isnan(hyperbolic_tangent(kNaN)));
}

}  // namespace
}  // namespace lodestone::kernels
