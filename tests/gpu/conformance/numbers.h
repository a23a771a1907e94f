#pragma once
// How the PTX manual (and IEEE 754) define a result: an exact value, rounded once to a format.
// Written for the tests alone and shared with nothing that they test.
#include <cstdint>
#include <functional>

namespace lodestone::gpu_tests {

enum class Rounding : std::uint8_t { kNearestEven, kNearestAway, kTowardsZero, kDown, kUp };

// A format of numbers with a sign. A code is a number's bits without the sign; codes are in the
// order of magnitudes.
struct Format {
  int exponent_bits = 0, mantissa_bits = 0;
  std::uint64_t largest = 0;  // code of the largest finite number
};
inline constexpr Format kF64{11, 52, 0x7fef'ffff'ffff'ffff};
inline constexpr Format kF32{8, 23, 0x7f7f'ffff};
inline constexpr Format kTf32{8, 10, 0x3'fbff};  // the upper 19 bits of an f32
inline constexpr Format kBf16{8, 7, 0x7f7f};
inline constexpr Format kF16{5, 10, 0x7bff};
inline constexpr Format kE4m3{4, 3, 0x7e};
inline constexpr Format kE5m2{5, 2, 0x7b};

// The number that a code stands for; one code above the largest, the power of two in its place.
long double magnitude_of(const Format& format, std::uint64_t code);

// A number that no format need hold: its sign, and how its magnitude compares with any number of 54
// bits (below zero: it is smaller).
struct Exact {
  bool is_negative = false;
  std::function<int(long double)> compare;
};

Exact exact_value(long double a);
// a + b, a b, a / b and sqrt(a) of finite numbers of at most 53 bits, or 48 in a sum. No quotient
// by zero, no root of what is not above it.
Exact exact_sum(long double a, long double b);
Exact exact_product(long double a, long double b);
Exact exact_quotient(long double a, long double b);
Exact exact_root(long double a);

// The code of the number that the exact one is rounded to; largest + 1 where it overflows.
std::uint64_t round_to(const Format& format, Rounding rounding, const Exact& exact);

}  // namespace lodestone::gpu_tests
