#pragma once
#include <bit>
#include <cstdint>

namespace lodestone {

// The upper half of a binary32. Arithmetic is done in float; only storage is 16 bits wide.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  // Rounds to nearest, ties to even; NaN stays a (quiet) NaN.
  explicit constexpr BFloat16(float value)
      : bits(round_bits(std::bit_cast<std::uint32_t>(value))) {}
  constexpr operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }

 private:
  static constexpr std::uint16_t round_bits(std::uint32_t u) {
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((u >> 16) | 0x40u);
    return static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
};
static_assert(sizeof(BFloat16) == 2);

}  // namespace lodestone
