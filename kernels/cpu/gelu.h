#pragma once
// Both forms of GELU (kernels/activation.h) and their derivatives, as vector code in f32
// (kernels/gelu.h) and by the C library in f64.
#include <cmath>
#include <numbers>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/power_of_two.h"
#include "kernels/gelu.h"

namespace lodestone::kernels {

// Absolute error below 1e-7 of max(1, |x|).
inline float gelu(float x) {
  const float size = std::abs(x);
  const float a = size > kGeluEnd ? kGeluEnd : size;
  return (x > 0.0f ? x : 0.0f) - a * power_of_two(log2_of_normal_tail(a));
}
inline double gelu(double x) {
  return x * 0.5 * (1 + std::erf(x * (1 / std::numbers::sqrt2)));
}

// Absolute error below 2e-7.
inline float gelu_derivative(float x) {
  const float size = std::abs(x);
  const float a = size > kGeluEnd ? kGeluEnd : size;
  const float d = power_of_two(log2_of_normal_tail(a)) * (1.0f - a * normal_hazard_rate(a));
  return x > 0.0f ? 1.0f - d : d;
}
inline double gelu_derivative(double x) {
  constexpr double kDensityAtZero = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return 0.5 * (1 + std::erf(x * (1 / std::numbers::sqrt2))) +
         x * kDensityAtZero * std::exp(-0.5 * x * x);
}

// In f32: absolute error below 1e-6 of max(1, |x|), of the derivative below 2e-6.
template <class C>
C gelu_tanh(C x) {
  return x / (1 + exponential(-gelu_tanh_argument(x)));
}
template <class C>
C gelu_tanh_derivative(C x) {
  constexpr C kEnd = static_cast<C>(kGeluTanhEnd);
  const C at_most = x > kEnd ? kEnd : x;
  const C at = at_most < -kEnd ? -kEnd : at_most;
  const C s = 1 / (1 + exponential(-gelu_tanh_argument(at)));
  return s + at * s * (1 - s) * gelu_tanh_argument_slope(at);
}

}  // namespace lodestone::kernels
