#pragma once
// GELU, x Phi(x), and its derivative Phi(x) + x phi(x), as vector code. In f32 both come of one
// polynomial, log2 of the tail Q(a) = 1 - Phi(a) for a = |x| (Phi(-a) = Q(a)):
//   x Phi(x) = max(x, 0) - a Q(a),   derivative = 1 - d or, left of 0, d = Q(a) (1 - a h(a))
// with the hazard rate h = phi / Q. Beyond a = 6 both stay what they are there, 6e-9. Fitted at
// Chebyshev nodes; bounds measured in tests/ops/gelu_test.cpp. In f64 they are the C library's.
#include <cmath>
#include <numbers>

#include "kernels/cpu/power_of_two.h"

namespace lodestone::kernels {

// Q(a) for a in [0, 6].
inline float normal_tail(float a) {
  float p = -2.622888751e-8f;  // log2 Q(a)
  p = p * a + 7.919798009e-7f;
  p = p * a - 1.023568348e-5f;
  p = p * a + 7.201833796e-5f;
  p = p * a - 2.634700213e-4f;
  p = p * a - 3.599311458e-5f;
  p = p * a + 6.994218566e-3f;
  p = p * a - 5.247564241e-2f;
  p = p * a - 4.592087269e-1f;
  p = p * a - 1.151105762e+0f;
  p = p * a - 1.0f;
  return power_of_two(p);
}

// Absolute error below 1e-7 of max(1, |x|).
inline float gelu(float x) {
  const float size = std::abs(x);
  const float a = size > 6.0f ? 6.0f : size;
  return (x > 0.0f ? x : 0.0f) - a * normal_tail(a);
}
inline double gelu(double x) {
  return x * 0.5 * (1 + std::erf(x * (1 / std::numbers::sqrt2)));
}

// Absolute error below 2e-7.
inline float gelu_derivative(float x) {
  const float size = std::abs(x);
  const float a = size > 6.0f ? 6.0f : size;
  float h = -2.841025661e-6f;
  h = h * a + 4.866114613e-5f;
  h = h * a - 3.428180353e-4f;
  h = h * a + 1.131350640e-3f;
  h = h * a + 1.541592246e-5f;
  h = h * a - 1.926349103e-2f;
  h = h * a + 1.090496555e-1f;
  h = h * a + 6.366146803e-1f;
  h = h * a + 7.978846431e-1f;
  const float d = normal_tail(a) * (1.0f - a * h);
  return x > 0.0f ? 1.0f - d : d;
}
inline double gelu_derivative(double x) {
  constexpr double kDensityAtZero = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return 0.5 * (1 + std::erf(x * (1 / std::numbers::sqrt2))) +
         x * kDensityAtZero * std::exp(-0.5 * x * x);
}

}  // namespace lodestone::kernels
