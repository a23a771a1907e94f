#include "tests/gpu/conformance/arithmetic.h"

#include <cmath>

namespace lodestone::gpu_tests {

namespace {

int sign_place(const Format& format) {
  return format.exponent_bits + format.mantissa_bits;
}

std::uint64_t modified(const Format& format, Mode mode, bool is_negative, std::uint64_t code) {
  const std::uint64_t bias = (std::uint64_t{1} << (format.exponent_bits - 1)) - 1;
  const std::uint64_t one = bias << format.mantissa_bits;
  if (mode.flushes && code >> format.mantissa_bits == 0) code = 0;
  if (mode.saturates && code > one && !is_negative) code = one;
  if (is_negative && (mode.saturates || mode.is_rectified)) return 0;
  return std::uint64_t{is_negative} << sign_place(format) | code;
}

// All bits but the sign's are one.
std::uint64_t nan_of(const Format& format, Mode mode) {
  return mode.saturates ? 0 : (std::uint64_t{1} << sign_place(format)) - 1;
}

std::uint64_t finish(const Format& format, Mode mode, const Exact& exact) {
  return modified(format, mode, exact.is_negative, round_to(format, mode.rounding, exact));
}

// An infinity, a zero or a NaN.
std::uint64_t finish(const Format& format, Mode mode, long double special) {
  if (std::isnan(special)) return nan_of(format, mode);
  return modified(format, mode, std::signbit(special), special == 0 ? 0 : format.largest + 1);
}

long double operand(const Format& format, Mode mode, long double a) {
  const long double least_normal = magnitude_of(format, std::uint64_t{1} << format.mantissa_bits);
  return mode.flushes && std::fabs(a) < least_normal ? std::copysign(0.0L, a) : a;
}

// Of a zero that is the sum of a and b.
bool is_negative_zero(Mode mode, long double a, long double b) {
  const bool down = mode.rounding == Rounding::kDown;
  return down ? std::signbit(a) || std::signbit(b) : std::signbit(a) && std::signbit(b);
}

// `exact` is a + b.
std::uint64_t finish_sum(const Format& format, Mode mode, long double a, long double b) {
  Exact exact = exact_sum(a, b);
  if (exact.compare(0) == 0) exact.is_negative = is_negative_zero(mode, a, b);
  return finish(format, mode, exact);
}

}  // namespace

long double number_of(const Format& format, std::uint64_t bits) {
  const std::uint64_t sign = std::uint64_t{1} << sign_place(format), code = bits & (sign - 1);
  long double magnitude = magnitude_of(format, code);
  // Only e4m3 has numbers where others have infinities, and one NaN.
  if (code > format.largest) {
    const bool has_infinity = code == format.largest + 1 && code != sign - 1;
    magnitude = has_infinity ? INFINITY : NAN;
  }
  return (bits & sign) != 0 ? -magnitude : magnitude;
}

float flushed(float a) {
  return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a;
}

std::uint64_t rounded(const Format& format, Mode mode, long double value) {
  if (!std::isfinite(value)) return finish(format, mode, value);
  return finish(format, mode, exact_value(operand(format, mode, value)));
}

std::uint64_t sum(const Format& format, Mode mode, long double a, long double b) {
  a = operand(format, mode, a);
  b = operand(format, mode, b);
  if (!std::isfinite(a) || !std::isfinite(b)) return finish(format, mode, a + b);
  return finish_sum(format, mode, a, b);
}

std::uint64_t product(const Format& format, Mode mode, long double a, long double b) {
  a = operand(format, mode, a);
  b = operand(format, mode, b);
  if (!std::isfinite(a) || !std::isfinite(b)) return finish(format, mode, a * b);
  return finish(format, mode, exact_product(a, b));
}

std::uint64_t product_sum(const Format& format, Mode mode, long double a, long double b,
                          long double c) {
  const long double exact_product = operand(format, mode, a) * operand(format, mode, b);
  c = operand(format, mode, c);
  if (!std::isfinite(exact_product) || !std::isfinite(c)) {
    return finish(format, mode, exact_product + c);
  }
  return finish_sum(format, mode, exact_product, c);
}

std::uint64_t quotient(const Format& format, Mode mode, long double a, long double b) {
  a = operand(format, mode, a);
  b = operand(format, mode, b);
  if (!std::isfinite(a) || !std::isfinite(b) || b == 0) return finish(format, mode, a / b);
  return finish(format, mode, exact_quotient(a, b));
}

std::uint64_t root(const Format& format, Mode mode, long double a) {
  a = operand(format, mode, a);
  if (!std::isfinite(a) || a <= 0) return finish(format, mode, std::sqrt(a));
  return finish(format, mode, exact_root(a));
}

}  // namespace lodestone::gpu_tests
