// The matrix descriptors of wgmma against the canonical layouts of the PTX manual, written as the
// manual writes them: a layout of nested modes, then Swizzle<bits, 4, 3> of the byte's address.
#include "tests/gpu/emulator/matrix_descriptor.h"

#include <gtest/gtest.h>

#include <vector>

namespace lodestone::ptx {
namespace {

// Swizzle<bits, 4, 3>: the bits from 7 on are added to those from 4 on.
std::uint32_t published_swizzle(std::uint32_t address, std::uint32_t bits) {
  const std::uint32_t source = ((1u << bits) - 1) << 7;
  return address ^ ((address & source) >> 3);
}

struct Case {
  Swizzle swizzle;
  std::uint32_t bits;  // of the published swizzle
  std::uint64_t code;  // in the descriptor
};
const std::vector<Case> kCases{{Swizzle::kPlain, 0, 0},
                               {Swizzle::k32Bytes, 1, 3},
                               {Swizzle::k64Bytes, 2, 2},
                               {Swizzle::k128Bytes, 3, 1}};

constexpr std::uint32_t kStart = 0x2000, kLeading = 0x1000, kStride = 0x400;

std::uint64_t descriptor_bits(std::uint64_t code) {
  return kStart >> 4 | std::uint64_t{kLeading >> 4} << 16 | std::uint64_t{kStride >> 4} << 32 |
         code << 62;
}

// K-major: ((8, m), (T, 2k)) : ((W T, SBO), (1, T)), W chunks in a swizzled row; without a swizzle
// ((1 T, SBO), (1, LBO)). Offsets in bytes.
std::uint32_t k_major(int mn, int k, int element, std::uint32_t bits) {
  const auto T = static_cast<std::uint32_t>(16 / element);
  const auto row = static_cast<std::uint32_t>(mn), column = static_cast<std::uint32_t>(k);
  const std::uint32_t row_stride =
      (bits == 0 ? 1 : 1u << bits) * T * static_cast<std::uint32_t>(element);
  const std::uint32_t chunk_stride = bits == 0 ? kLeading : T * static_cast<std::uint32_t>(element);
  return row % 8 * row_stride + row / 8 * kStride +
         column % T * static_cast<std::uint32_t>(element) + column / T * chunk_stride;
}

// MN-major: ((T, W, m), (8, k)) : ((1, T, LBO), (W T, SBO)); without a swizzle ((1, T, SBO), (1 T,
// LBO)).
std::uint32_t mn_major(int mn, int k, int element, std::uint32_t bits) {
  const auto T = static_cast<std::uint32_t>(16 / element), W = 1u << bits;
  const auto bytes = static_cast<std::uint32_t>(element);
  const auto row = static_cast<std::uint32_t>(mn), column = static_cast<std::uint32_t>(k);
  const std::uint32_t block = row / (T * W), group = column / 8;
  return row % T * bytes + row / T % W * T * bytes + block * (bits == 0 ? kStride : kLeading) +
         column % 8 * W * T * bytes + group * (bits == 0 ? kLeading : kStride);
}

TEST(MatrixDescriptor, KMajorIsTheCanonicalLayout) {
  for (const Case& c : kCases)
    for (const int element : {2, 4}) {
      const MatrixDescriptor descriptor = MatrixDescriptor::decode(descriptor_bits(c.code));
      EXPECT_EQ(descriptor.swizzle, c.swizzle);
      const int chunk = 16 / element;
      for (int mn = 0; mn < 256; ++mn)
        for (int k = 0; k < 2 * chunk; k += chunk)
          EXPECT_EQ(descriptor.chunk_address(Major::kK, k, mn, element),
                    published_swizzle(kStart + k_major(mn, k, element, c.bits), c.bits))
              << "code " << c.code << " element " << element << " mn " << mn << " k " << k;
    }
}

TEST(MatrixDescriptor, MnMajorIsTheCanonicalLayout) {
  for (const Case& c : kCases) {
    const MatrixDescriptor descriptor = MatrixDescriptor::decode(descriptor_bits(c.code));
    for (int mn = 0; mn < 256; mn += 8)
      for (int k = 0; k < 16; ++k)
        EXPECT_EQ(descriptor.chunk_address(Major::kMn, mn, k, 2),
                  published_swizzle(kStart + mn_major(mn, k, 2, c.bits), c.bits))
            << "code " << c.code << " mn " << mn << " k " << k;
  }
}

// The examples of the manual, in elements: Swizzle<0,4,3> o ((8,2),(4,4)):((4,32),(1,64)) of tf32,
// and Swizzle<1,4,3> o ((8,2,2),(8,2)):((1,8,128),(16,256)) of bf16, MN-major.
TEST(MatrixDescriptor, ExamplesOfTheManual) {
  const MatrixDescriptor tf32{.start = 0, .leading_offset = 64 * 4, .stride_offset = 32 * 4};
  EXPECT_EQ(tf32.encode(), 16ull << 16 | 8ull << 32);
  for (int mn = 0; mn < 16; ++mn)
    for (int k = 0; k < 16; k += 4)
      EXPECT_EQ(tf32.chunk_address(Major::kK, k, mn, 4),
                static_cast<std::uint32_t>(4 * (mn % 8 * 4 + mn / 8 * 32 + k / 4 * 64)));
  const MatrixDescriptor bf16{.start = 0,
                              .leading_offset = 128 * 2,
                              .stride_offset = 256 * 2,
                              .swizzle = Swizzle::k32Bytes};
  EXPECT_EQ(bf16.encode(), 16ull << 16 | 32ull << 32 | 3ull << 62);
  for (int mn = 0; mn < 32; mn += 8)
    for (int k = 0; k < 16; ++k) {
      const int element = mn / 8 % 2 * 8 + mn / 16 * 128 + k % 8 * 16 + k / 8 * 256;
      EXPECT_EQ(bf16.chunk_address(Major::kMn, mn, k, 2),
                published_swizzle(static_cast<std::uint32_t>(2 * element), 1));
    }
}

TEST(MatrixDescriptor, IsDecodedAsItWasEncoded) {
  for (const Case& c : kCases) {
    const MatrixDescriptor made{.start = 0x3fff0,
                                .leading_offset = 0x12340,
                                .stride_offset = 0x00560,
                                .base_offset = 5,
                                .swizzle = c.swizzle};
    const MatrixDescriptor read = MatrixDescriptor::decode(made.encode());
    EXPECT_EQ(read.start, made.start);
    EXPECT_EQ(read.leading_offset, made.leading_offset);
    EXPECT_EQ(read.stride_offset, made.stride_offset);
    EXPECT_EQ(read.base_offset, made.base_offset);
    EXPECT_EQ(read.swizzle, made.swizzle);
  }
}

// A pattern that starts at line 3 of its eight is the aligned one, moved.
TEST(MatrixDescriptor, BaseOffsetMovesThePattern) {
  const MatrixDescriptor aligned{
      .start = 0x2000, .stride_offset = 0x400, .swizzle = Swizzle::k128Bytes};
  MatrixDescriptor moved = aligned;
  moved.start += 3 * 128;
  moved.base_offset = 3;
  for (int mn = 0; mn < 64; ++mn)
    EXPECT_EQ(moved.chunk_address(Major::kK, 8, mn, 2),
              aligned.chunk_address(Major::kK, 8, mn, 2) + 3 * 128);
}

}  // namespace
}  // namespace lodestone::ptx
