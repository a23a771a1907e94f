#pragma once
// Floating-point formats of the device, as bits.
#include <bit>
#include <cstdint>

namespace lodestone::ptx {

struct NumberFormat {
  std::uint32_t exponent_bits = 0;
  std::uint32_t mantissa_bits = 0;
  std::uint64_t largest = 0;  // bits of the largest finite number
  std::uint64_t nan = 0;      // bits of the NaN that operations give
  bool has_infinity = true;

  std::uint32_t bits() const { return 1 + exponent_bits + mantissa_bits; }
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};

inline constexpr NumberFormat kF64{11, 52, 0x7fefffffffffffff, 0x7fffffffffffffff, true};
inline constexpr NumberFormat kF32{8, 23, 0x7f7fffff, 0x7fffffff, true};
inline constexpr NumberFormat kF16{5, 10, 0x7bff, 0x7fff, true};
inline constexpr NumberFormat kBf16{8, 7, 0x7f7f, 0x7fff, true};
inline constexpr NumberFormat kE4m3{4, 3, 0x7e, 0x7f, false};
inline constexpr NumberFormat kE5m2{5, 2, 0x7b, 0x7f, true};
inline constexpr NumberFormat kTf32{8, 10, 0x3fbff, 0x3ffff, true};  // the upper 19 bits of a f32

enum class Rounding : std::uint8_t { kNearest, kZero, kDown, kUp, kNearestAway };

// The bits of a value. Where the value is not exact, it must have been rounded to odd.
// Beyond the largest number comes infinity, or with `saturate` the largest itself.
std::uint64_t encode(long double value, const NumberFormat& format,
                     Rounding rounding = Rounding::kNearest, bool saturate = false);
double decode(std::uint64_t bits, const NumberFormat& format);

// a + b, exact or rounded to odd: rounding it again to fewer bits gives what rounding once would.
double add_to_odd(double a, double b);

// The nearest bf16, ties to even: what `cvt.rn.bf16.f32` gives.
inline std::uint16_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : rounded);
}
inline float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// The nearest f16, ties to even. Below the normal range, adding 0.5 aligns the bits to keep.
inline std::uint16_t f16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;
  const std::uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const std::uint32_t finite = magnitude < (113u << 23) ? small : normal;
  const std::uint32_t large = magnitude > 0x7f800000 ? 0x7fff : 0x7c00;
  const bool is_large = magnitude >= 0x477ff000;  // rounds to infinity, or is no number
  const std::uint32_t result = is_large ? large : finite;
  return static_cast<std::uint16_t>(magnitude > 0x7f800000 ? 0x7fff : sign | result);
}
// Multiplying by 2^112 puts the exponent right, for subnormal numbers too.
inline float f16_value(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffu;
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  const std::uint32_t special = 0x7f800000 | magnitude << 13;
  const std::uint32_t result = magnitude >= 0x7c00 ? special : std::bit_cast<std::uint32_t>(scaled);
  return std::bit_cast<float>(result | (bits & 0x8000u) << 16);
}

}  // namespace lodestone::ptx
