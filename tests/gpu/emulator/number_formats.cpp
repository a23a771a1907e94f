#include "tests/gpu/emulator/number_formats.h"

#include <algorithm>
#include <cmath>

namespace lodestone::ptx {

namespace {

// Whether a magnitude of `whole` and a remainder below one goes up.
bool rounds_up(std::uint64_t whole, long double rest, bool negative, Rounding rounding) {
  switch (rounding) {
    case Rounding::kNearest:
      return rest > 0.5L || (rest == 0.5L && (whole & 1) != 0);
    case Rounding::kNearestAway:
      return rest >= 0.5L;
    case Rounding::kZero:
      return false;
    case Rounding::kDown:
      return rest > 0 && negative;
    case Rounding::kUp:
      return rest > 0 && !negative;
  }
  return false;
}

// What stands for a magnitude above the largest finite one.
std::uint64_t overflow(const NumberFormat& format, bool negative, Rounding rounding,
                       bool saturate) {
  const bool towards_zero = rounding == Rounding::kZero ||
                            (rounding == Rounding::kDown && !negative) ||
                            (rounding == Rounding::kUp && negative);
  if (saturate || towards_zero) return format.largest;
  return format.has_infinity ? format.largest + 1 : format.nan;
}

}  // namespace

std::uint64_t encode(long double value, const NumberFormat& format, Rounding rounding,
                     bool saturate) {
  if (std::isnan(value)) return format.nan;
  const bool negative = std::signbit(value);
  const std::uint64_t sign = static_cast<std::uint64_t>(negative) << (format.bits() - 1);
  const long double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) {
    const bool keeps = !saturate && format.has_infinity;
    return sign | (keeps ? format.largest + 1 : saturate ? format.largest : format.nan);
  }
  // The magnitude is counted in units of the last place: the least unit is that of subnormals.
  const int least_exponent = 1 - format.bias();
  const int exponent =
      magnitude == 0 ? least_exponent : std::max(std::ilogb(magnitude), least_exponent);
  const int mantissa_bits = static_cast<int>(format.mantissa_bits);
  const long double units = std::ldexp(magnitude, mantissa_bits - exponent);
  std::uint64_t whole = static_cast<std::uint64_t>(units);
  whole += rounds_up(whole, units - static_cast<long double>(whole), negative, rounding) ? 1 : 0;
  // The hidden bit adds one to the exponent, and so does a carry out of the mantissa.
  const std::uint64_t bits =
      (static_cast<std::uint64_t>(exponent - least_exponent) << mantissa_bits) + whole;
  return sign | (bits > format.largest ? overflow(format, negative, rounding, saturate) : bits);
}

double decode(std::uint64_t bits, const NumberFormat& format) {
  const std::uint64_t sign = std::uint64_t{1} << (format.bits() - 1);
  const std::uint64_t magnitude = bits & (sign - 1);
  double value = 0;
  if (format.has_infinity && magnitude == format.largest + 1) {
    value = HUGE_VAL;
  } else if (magnitude > format.largest) {
    value = std::nan("");
  } else {
    const std::uint64_t hidden = std::uint64_t{1} << format.mantissa_bits;
    const auto exponent = static_cast<int>(magnitude >> format.mantissa_bits);
    const std::uint64_t mantissa = (magnitude & (hidden - 1)) + (exponent > 0 ? hidden : 0);
    value = std::ldexp(static_cast<double>(mantissa), std::max(exponent, 1) - format.bias() -
                                                          static_cast<int>(format.mantissa_bits));
  }
  return (bits & sign) != 0 ? -value : value;
}

double add_to_odd(double a, double b) {
  const double sum = a + b;
  if (!std::isfinite(sum)) return sum;
  // The error of the sum, exactly (Knuth's two-sum).
  const double b_part = sum - a;
  const double error = (a - (sum - b_part)) + (b - b_part);
  const auto bits = std::bit_cast<std::uint64_t>(sum);
  if (error == 0 || (bits & 1) != 0) return sum;
  const bool away = (error > 0) == (sum > 0);
  return std::bit_cast<double>(away ? bits + 1 : bits - 1);
}

}  // namespace lodestone::ptx
