#include "tests/gpu/conformance/numbers.h"

#include <cmath>

namespace lodestone::gpu_tests {

namespace {

int sign_of(long double x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

// The magnitude |high + low|, low being what was lost when high was rounded to 64 bits. A number of
// 54 bits that is not `high` is farther from it than `low` reaches.
Exact exact_pair(long double high, long double low) {
  const bool is_negative = std::signbit(high);
  const long double magnitude = std::fabs(high), rest = is_negative ? -low : low;
  return {is_negative,
          [=](long double x) { return x != magnitude ? sign_of(magnitude - x) : sign_of(rest); }};
}

}  // namespace

long double magnitude_of(const Format& format, std::uint64_t code) {
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const auto exponent = static_cast<int>(code >> format.mantissa_bits);
  const std::uint64_t mantissa = code & ((std::uint64_t{1} << format.mantissa_bits) - 1);
  const long double fraction =
      std::ldexp(static_cast<long double>(mantissa), -format.mantissa_bits);
  return exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
}

Exact exact_value(long double a) {
  return exact_pair(a, 0);
}

// What a sum loses is itself a number (Knuth's TwoSum).
Exact exact_sum(long double a, long double b) {
  const long double sum = a + b;
  const long double of_b = sum - a, of_a = sum - of_b;
  return exact_pair(sum, (a - of_a) + (b - of_b));
}

Exact exact_product(long double a, long double b) {
  const long double product = a * b;
  return exact_pair(product, std::fma(a, b, -product));
}

// x against a / b is x b against a.
Exact exact_quotient(long double a, long double b) {
  return {std::signbit(a) != std::signbit(b), [a = std::fabs(a), b = std::fabs(b)](long double x) {
            return -sign_of(std::fma(x, b, -a));
          }};
}

Exact exact_root(long double a) {
  return {std::signbit(a), [a](long double x) { return -sign_of(std::fma(x, x, -a)); }};
}

std::uint64_t round_to(const Format& format, Rounding rounding, const Exact& exact) {
  std::uint64_t low = 0, high = format.largest + 1;  // low <= exact; high above it, or overflow
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (exact.compare(magnitude_of(format, middle)) >= 0 ? low : high) = middle;
  }
  if (exact.compare(magnitude_of(format, low)) == 0) return low;
  switch (rounding) {
    case Rounding::kTowardsZero:
      return low;
    case Rounding::kDown:
      return exact.is_negative ? high : low;
    case Rounding::kUp:
      return exact.is_negative ? low : high;
    default:
      break;
  }
  const int half = exact.compare((magnitude_of(format, low) + magnitude_of(format, high)) / 2);
  if (half != 0) return half > 0 ? high : low;
  return rounding == Rounding::kNearestAway || low % 2 != 0 ? high : low;
}

}  // namespace lodestone::gpu_tests
