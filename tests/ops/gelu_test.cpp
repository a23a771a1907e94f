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

TEST(Gelu, TanhFormIsTheDefinition) {
  for (double x = -12; x <= 12; x += 0.0625) {
    const double z = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    const double slope = std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
    const double t = std::tanh(z);
    EXPECT_NEAR(gelu_tanh(x), 0.5 * x * (1 + t), 1e-14) << x;
    EXPECT_NEAR(gelu_tanh_derivative(x), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope, 1e-13) << x;
  }
}

TEST(Gelu, TanhFormKeepsItsBounds) {
  double worst = 0, worst_derivative = 0;
  for_floats([&](float x) {
    const double error = std::abs(gelu_tanh(x) - gelu_tanh(double{x}));
    worst = std::max(worst, error / std::max(1.0, std::abs(double{x})));
    const double derivative = gelu_tanh_derivative(double{x});
    worst_derivative = std::max(worst_derivative, std::abs(gelu_tanh_derivative(x) - derivative));
  });
  EXPECT_LT(worst, 1e-6);
  EXPECT_LT(worst_derivative, 2e-6);
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
  EXPECT_EQ(gelu_tanh(0.0f), 0.0f);
  EXPECT_EQ(gelu_tanh(kInfinity), kInfinity);
  EXPECT_EQ(gelu_tanh(-1e30f), 0.0f);
  EXPECT_EQ(gelu_tanh_derivative(0.0f), 0.5f);
  EXPECT_EQ(gelu_tanh_derivative(kInfinity), 1.0f);
  EXPECT_NEAR(gelu_tanh_derivative(-kInfinity), 0.0f, 1e-30f);
  EXPECT_TRUE(std::isnan(gelu(kNaN)));
  EXPECT_TRUE(std::isnan(gelu_tanh(kNaN)));
  EXPECT_TRUE(std::isnan(gelu_tanh_derivative(kNaN)));
  EXPECT_TRUE(std::isnan(gelu_derivative(kNaN)));
}

}  // namespace
}  // namespace lodestone::kernels
