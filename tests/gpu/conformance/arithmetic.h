#pragma once
// Operations of IEEE 754 as PTX modifies them, on numbers of any format: bits of the result.
// Numbers that are no operand of theirs (infinities, NaN) take the host's rules, and one NaN.
#include <cstdint>

#include "tests/gpu/conformance/numbers.h"

namespace lodestone::gpu_tests {

struct Mode {
  Rounding rounding = Rounding::kNearestEven;
  bool flushes = false;       // .ftz: subnormal operands and results are zeros of their sign
  bool saturates = false;     // .sat: results within [0, 1], NaN is +0
  bool is_rectified = false;  // .relu: negative results are +0
};

inline constexpr std::uint32_t kCanonicalNan = 0x7fffffff;  // of f32

// What bits mean, infinities and NaN included.
long double number_of(const Format& format, std::uint64_t bits);
// A subnormal f32 is a zero of its sign.
float flushed(float a);

// Bits of the number, infinity or NaN that the value is rounded to.
std::uint64_t rounded(const Format& format, Mode mode, long double value);

std::uint64_t sum(const Format& format, Mode mode, long double a, long double b);
std::uint64_t product(const Format& format, Mode mode, long double a, long double b);
std::uint64_t quotient(const Format& format, Mode mode, long double a, long double b);
std::uint64_t root(const Format& format, Mode mode, long double a);
// a b + c, of formats up to f32
std::uint64_t product_sum(const Format& format, Mode mode, long double a, long double b,
                          long double c);

}  // namespace lodestone::gpu_tests
