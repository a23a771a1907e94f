#pragma once
// The swizzles that TMA writes shared memory with and wgmma reads it with: within a row of `span`
// bytes the 16-byte chunks are exchanged by the number of the row, which is a number of 128-byte
// lines.
#include <cstdint>

namespace lodestone::ptx {

enum class Swizzle : std::uint8_t { kPlain, k32Bytes, k64Bytes, k128Bytes };

// Bytes within which chunks are exchanged; 16 without a swizzle: nothing is.
constexpr std::uint32_t swizzle_span(Swizzle swizzle) {
  return 16u << static_cast<std::uint32_t>(swizzle);
}

// Where the byte at `address` of the plain layout lies. `first_line` is the 128-byte line in which
// the pattern starts (0: at a multiple of eight lines, as TMA always does).
constexpr std::uint32_t swizzled_address(std::uint32_t address, Swizzle swizzle,
                                         std::uint32_t first_line = 0) {
  const std::uint32_t chunks = (1u << static_cast<std::uint32_t>(swizzle)) - 1;
  const std::uint32_t line = (address >> 7) - first_line;
  return address ^ ((line & chunks) << 4);
}

}  // namespace lodestone::ptx
