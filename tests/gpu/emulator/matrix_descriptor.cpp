#include "tests/gpu/emulator/matrix_descriptor.h"

namespace lodestone::ptx {
namespace {

constexpr std::uint32_t kChunk = 16;
constexpr std::uint32_t kGroup = 8;  // rows, or columns, of a core matrix

// The descriptor numbers its swizzles downwards: 1 is 128 bytes, 3 is 32.
constexpr Swizzle decode_swizzle(std::uint64_t code) {
  return code == 0 ? Swizzle::kPlain : static_cast<Swizzle>(4 - code);
}

constexpr std::uint32_t field(std::uint64_t bits, int shift) {
  return static_cast<std::uint32_t>(bits >> shift & 0x3fffu) << 4;
}

}  // namespace

MatrixDescriptor MatrixDescriptor::decode(std::uint64_t bits) {
  return {.start = field(bits, 0),
          .leading_offset = field(bits, 16),
          .stride_offset = field(bits, 32),
          .base_offset = static_cast<std::uint32_t>(bits >> 49 & 7),
          .swizzle = decode_swizzle(bits >> 62)};
}

std::uint64_t MatrixDescriptor::encode() const {
  const auto encoded = [](std::uint32_t bytes) {
    return static_cast<std::uint64_t>((bytes & 0x3ffffu) >> 4);
  };
  const auto code = static_cast<std::uint64_t>(swizzle);
  return encoded(start) | encoded(leading_offset) << 16 | encoded(stride_offset) << 32 |
         static_cast<std::uint64_t>(base_offset & 7) << 49 | (code == 0 ? 0 : 4 - code) << 62;
}

std::uint32_t MatrixDescriptor::chunk_address(Major order, int major, int minor,
                                              int element_bytes) const {
  const std::uint32_t chunk = static_cast<std::uint32_t>(major * element_bytes) / kChunk;
  const std::uint32_t group = static_cast<std::uint32_t>(minor) / kGroup;
  const std::uint32_t row = static_cast<std::uint32_t>(minor) % kGroup;
  if (swizzle == Swizzle::kPlain) {
    // Core matrices of 8 rows of 16 bytes. In K-major order the leading offset goes from chunk to
    // chunk and the stride offset from group to group; in MN-major order the other way round.
    const bool k_major = order == Major::kK;
    return start + chunk * (k_major ? leading_offset : stride_offset) +
           group * (k_major ? stride_offset : leading_offset) + row * kChunk;
  }
  const std::uint32_t span = swizzle_span(swizzle);
  // Chunks beyond the span exist in MN-major order only; in K-major order an instruction's 32 bytes
  // of k lie within it, and the start address moves along k.
  const std::uint32_t along = order == Major::kK
                                  ? chunk * kChunk
                                  : chunk * kChunk / span * leading_offset + chunk * kChunk % span;
  return swizzled_address(start + group * stride_offset + row * span + along, swizzle, base_offset);
}

}  // namespace lodestone::ptx
