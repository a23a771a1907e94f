#pragma once
// exp, erf and tanh that the compiler turns into vector code inside loops: the C library's float
// versions are calls. Branch-free polynomials, fitted at Chebyshev nodes; bounds measured against
// f64 over every 97th float (tests/ops/elementary_test.cpp). The f64 overloads are the C library's:
// they are what everything else is compared to.
#include <bit>
#include <cmath>
#include <cstdint>

namespace lodestone::kernels {

// Relative error below 1.3e-7; 0 for x < -86.9, infinite for x > 88.73, NaN of NaN.
inline float exponential(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const float at_most = x > 89.0f ? 89.0f : x;
  const float shifted = at_most * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (at_most - n * kLn2High) - n * kLn2Low;
  float p = 1.989939263e-4f;
  p = p * r + 1.393373322e-3f;
  p = p * r + 8.333298340e-3f;
  p = p * r + 4.166646417e-2f;
  p = p * r + 1.666666672e-1f;
  p = p * r + 5.000000014e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors: n may be 128.
  const std::uint32_t exponent =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kRound);
  const float half_of_power = std::bit_cast<float>((exponent + 126u) << 23);
  return x < -86.9f ? 0.0f : p * half_of_power * 2.0f;
}
inline double exponential(double x) {
  return std::exp(x);
}

// Absolute error below 1.5e-7.
inline float error_function(float x) {
  const float a = std::abs(x);
  const float z = a * a;
  float inner = 7.882497332e-5f;  // erf(x) / x
  inner = inner * z - 8.018855053e-4f;
  inner = inner * z + 5.189311949e-3f;
  inner = inner * z - 2.685432880e-2f;
  inner = inner * z + 1.128359746e-1f;
  inner = inner * z - 3.761262690e-1f;
  inner = inner * z + 1.128379166e+0f;
  const float b = a > 4.0f ? 4.0f : a;  // erfc(4) is 1.5e-8
  float outer = -1.330939044e-5f;       // log erfc(b) on [1, 4]
  outer = outer * b + 3.175720355e-4f;
  outer = outer * b - 3.436867605e-3f;
  outer = outer * b + 2.262198595e-2f;
  outer = outer * b - 1.033189801e-1f;
  outer = outer * b - 6.390933194e-1f;
  outer = outer * b - 1.125925949e+0f;
  outer = outer * b - 7.569686112e-4f;
  const float far = std::copysign(1.0f - exponential(outer), x);
  return a < 1.0f ? x * inner : far;
}
inline double error_function(double x) {
  return std::erf(x);
}

// Relative error below 2e-7.
inline float hyperbolic_tangent(float x) {
  const float a = std::abs(x);
  const float z = x * x;
  float inner = 2.218362686e-3f;  // (tanh(x) - x) / x^3
  inner = inner * z - 8.276125718e-3f;
  inner = inner * z + 2.174755038e-2f;
  inner = inner * z - 5.395655651e-2f;
  inner = inner * z + 1.333329185e-1f;
  inner = inner * z - 3.333333309e-1f;
  const float far = std::copysign(1.0f - 2.0f / (exponential(2.0f * a) + 1.0f), x);
  return a < 0.65f ? x + x * z * inner : far;
}
inline double hyperbolic_tangent(double x) {
  return std::tanh(x);
}

}  // namespace lodestone::kernels
