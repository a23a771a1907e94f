#pragma once
// The shared-memory matrix descriptor of wgmma (PTX ISA, "Matrix descriptor format", "Canonical
// layouts").
#include <cstdint>

#include "tests/gpu/emulator/swizzle.h"

namespace lodestone::ptx {

// kMn: consecutive elements run along m (of A) or n (of B); the instruction's transpose immediate.
enum class Major : std::uint8_t { kK, kMn };

// An operand in shared memory in 16-byte chunks: chunks run along the major dimension.
struct MatrixDescriptor {
  std::uint32_t start = 0;           // bytes in the shared window, multiple of 16
  std::uint32_t leading_offset = 0;  // bytes
  std::uint32_t stride_offset = 0;   // bytes
  std::uint32_t base_offset =
      0;  // the 128-byte line, modulo 8, in which the swizzle's pattern starts
  Swizzle swizzle = Swizzle::kPlain;

  static MatrixDescriptor decode(std::uint64_t bits);
  std::uint64_t encode() const;

  // Address in the shared window of the 16 bytes that start at element (major, minor), where
  // `major` is a multiple of the elements of a chunk: (k, mn) of a K-major operand, (mn, k) of an
  // MN-major one.
  std::uint32_t chunk_address(Major order, int major, int minor, int element_bytes) const;
};

}  // namespace lodestone::ptx
