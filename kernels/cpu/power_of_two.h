#pragma once
// Exponentials of bounded arguments: half the instructions of `exponential` (elementary.h), which
// takes any. Vector code, like everything there; in f64 the C library's.
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace lodestone::kernels {

// 2^x for x in [-100, 100], relative error below 1.5e-7.
inline float power_of_two(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x + kRound;
  const float r = x - (shifted - kRound);
  float p = 1.533757450e-4f;
  p = p * r + 1.339985989e-3f;
  p = p * r + 9.618519805e-3f;
  p = p * r + 5.550329015e-2f;
  p = p * r + 2.402264625e-1f;
  p = p * r + 6.931471825e-1f;
  p = p * r + 1.0f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                              (std::bit_cast<std::uint32_t>(shifted) << 23));
}
inline double power_of_two(double x) {
  return std::exp2(x);
}

// e^x for x in (-inf, 0], of relative error below 1.5e-7 + 1e-7 |x|: what a softmax needs of a
// number that it adds to e^0. 2^-100 where the true value is less.
inline float exponential_below_one(float x) {
  const float log2 = x * std::numbers::log2e_v<float>;
  return power_of_two(log2 < -100.0f ? -100.0f : log2);
}
inline double exponential_below_one(double x) {
  return std::exp(x);
}

}  // namespace lodestone::kernels
