// Errors are those that the PTX manual states. All of these flush subnormal numbers but tanh.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/gpu/conformance/arithmetic.h"
#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

constexpr double kLeastNormal = 0x1p-126;
constexpr double kUlp = 0x1p-23;  // at most, relative to a number of f32

Outcome exactly(float value) {
  return Outcome::exactly(std::bit_cast<std::uint32_t>(value));
}

// What has an exact answer (NaN, an infinity, a zero), or the value and its error.
Outcome approximate(double value, double bound) {
  if (std::isnan(value)) return Outcome::not_a_number();
  if (!std::isfinite(value) || value == 0) return exactly(static_cast<float>(value));
  return Outcome::near(value, bound);
}

// A result below the least normal number may be flushed.
Outcome flushed_approximation(double value, double relative_error) {
  if (std::fabs(value) >= 0x1p128)
    return exactly(std::copysign(INFINITY, static_cast<float>(value)));
  const double bound = std::fabs(value) * relative_error;
  return approximate(value, std::fabs(value) < kLeastNormal ? kLeastNormal : bound);
}

Outcome power_of_two(float a) {
  const double value = std::exp2(static_cast<double>(flushed(a)));
  return a == -INFINITY ? exactly(0) : flushed_approximation(std::max(value, 0x1p-200), 2 * kUlp);
}

Outcome logarithm(float a) {
  const double value = std::log2(static_cast<double>(flushed(a)));
  return approximate(value, a > 0.5f && a < 2 ? 0x1p-22 : std::fabs(value) * 0x1p-22);
}

Outcome reciprocal(float a) {
  return flushed_approximation(1 / static_cast<double>(flushed(a)), kUlp);
}

Outcome square_root(float a) {
  return flushed_approximation(std::sqrt(static_cast<double>(flushed(a))), kUlp);
}

Outcome reciprocal_root(float a) {
  const double value = 1 / std::sqrt(static_cast<double>(flushed(a)));
  return flushed_approximation(value, std::exp2(-22.9));
}

Outcome sine(float a) {
  return approximate(std::sin(static_cast<double>(flushed(a))), std::exp2(-20.5));
}

Outcome cosine(float a) {
  return approximate(std::cos(static_cast<double>(flushed(a))), std::exp2(-20.5));
}

Outcome hyperbolic_tangent(float a) {
  if (std::isinf(a)) return exactly(std::copysign(1.0f, a));
  const double value = std::tanh(static_cast<double>(a));
  return approximate(value, std::fabs(value) * 0x1p-11 + std::numeric_limits<float>::denorm_min());
}

Outcome quotient_of(float a, float b) {
  return flushed_approximation(static_cast<double>(a) / b, 2 * kUlp);
}

}  // namespace

std::vector<Definition> approximation_definitions() {
  using enum Operand;
  return {of_each_lane("ex2.approx.ftz.f32", {kExponent}, &power_of_two),
          of_each_lane("lg2.approx.ftz.f32", {kFloat}, &logarithm),
          of_each_lane("rcp.approx.ftz.f32", {kFloat}, &reciprocal),
          of_each_lane("sqrt.approx.ftz.f32", {kFloat}, &square_root),
          of_each_lane("rsqrt.approx.ftz.f32", {kFloat}, &reciprocal_root),
          of_each_lane("sin.approx.ftz.f32", {kAngle}, &sine),
          of_each_lane("cos.approx.ftz.f32", {kAngle}, &cosine),
          of_each_lane("tanh.approx.f32", {kFloat}, &hyperbolic_tangent),
          of_each_lane("div.approx.ftz.f32", {kNumber, kNumber}, &quotient_of),
          of_each_lane("div.full.ftz.f32", {kNumber, kNumber}, &quotient_of)};
}

}  // namespace lodestone::gpu_tests
