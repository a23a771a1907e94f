#include "kernels/cpu/gelu.h"

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

TEST(Gelu, KeepsItsBound) {
  double worst = 0;
  for_floats([&](float x) {
    const double error = std::abs(gelu(x) - gelu(double{x}));
    worst = std::max(worst, error / std::max(1.0, std::abs(double{x})));
  });
  EXPECT_LT(worst, 1e-7);
}

TEST(Gelu, DerivativeKeepsItsBound) {
  double worst = 0;
  for_floats([&](float x) {
    worst = std::max(worst, std::abs(gelu_derivative(x) - gelu_derivative(double{x})));
  });
  EXPECT_LT(worst, 2e-7);
}

TEST(Gelu, LimitsAndNaN) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(gelu(0.0f), 0.0f);
  EXPECT_EQ(gelu(kInfinity), kInfinity);
  EXPECT_NEAR(gelu(-kInfinity), 0.0f, 1e-8f);
  EXPECT_EQ(gelu_derivative(0.0f), 0.5f);
  EXPECT_EQ(gelu_derivative(kInfinity), 1.0f);
  EXPECT_NEAR(gelu_derivative(-kInfinity), 0.0f, 1e-7f);
  EXPECT_TRUE(std::isnan(gelu(kNaN)));
  EXPECT_TRUE(std::isnan(gelu_derivative(kNaN)));
}

}  // namespace
}  // namespace lodestone::kernels
