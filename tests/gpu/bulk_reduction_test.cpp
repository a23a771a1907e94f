#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engine/core/bfloat16.h"
#include "tests/gpu/emulator/bulk_copies.h"
#include "tests/gpu/emulator/number_formats.h"

namespace lodestone::ptx {
namespace {

template <class Element>
std::vector<Element> reduced(ReductionKind kind, ReductionType type, std::vector<Element> to,
                             const std::vector<Element>& from) {
  reduce_bytes({.kind = kind, .type = type}, reinterpret_cast<std::byte*>(to.data()),
               reinterpret_cast<const std::byte*>(from.data()), to.size() * sizeof(Element));
  return to;
}

TEST(BulkReduction, OfIntegers) {
  using Words = std::vector<std::uint32_t>;
  const auto of = [](ReductionKind kind, const Words& to, const Words& from) {
    return reduced(kind, ReductionType::kU32, to, from);
  };
  EXPECT_EQ(of(ReductionKind::kAdd, {1, 0xffffffffu}, {2, 2}), (Words{3, 1}));
  EXPECT_EQ(of(ReductionKind::kMin, {1, 0xffffffffu}, {2, 2}), (Words{1, 2}));
  EXPECT_EQ(of(ReductionKind::kMax, {1, 0xffffffffu}, {2, 2}), (Words{2, 0xffffffffu}));
  EXPECT_EQ(of(ReductionKind::kIncrement, {1, 5, 6}, {5, 5, 5}), (Words{2, 0, 0}));
  EXPECT_EQ(of(ReductionKind::kDecrement, {1, 0, 6}, {5, 5, 5}), (Words{0, 5, 5}));
  EXPECT_EQ(of(ReductionKind::kAnd, {12}, {10}), (Words{8}));
  EXPECT_EQ(of(ReductionKind::kOr, {12}, {10}), (Words{14}));
  EXPECT_EQ(of(ReductionKind::kXor, {12}, {10}), (Words{6}));
}

TEST(BulkReduction, SignedIntegersCompareWithTheirSignAndWrapAround) {
  using Words = std::vector<std::int64_t>;
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(reduced(ReductionKind::kMin, ReductionType::kS64, Words{-1, 4}, Words{3, -9}),
            (Words{-1, -9}));
  EXPECT_EQ(reduced(ReductionKind::kAdd, ReductionType::kS64, Words{kLargest}, Words{1}),
            (Words{-kLargest - 1}));
}

TEST(BulkReduction, OfFloats) {
  EXPECT_EQ(reduced(ReductionKind::kAdd, ReductionType::kFloat, std::vector{1.5f, -2.f},
                    std::vector{2.f, 2.f}),
            (std::vector{3.5f, 0.f}));
  EXPECT_EQ(
      reduced(ReductionKind::kAdd, ReductionType::kDouble, std::vector{1e-17}, std::vector{1.0}),
      std::vector{1.0});
}

TEST(BulkReduction, SixteenBitFloatsAreRoundedOnce) {
  const std::vector<std::uint16_t> bf16 =
      reduced(ReductionKind::kAdd, ReductionType::kBfloat16,
              std::vector<std::uint16_t>{BFloat16(256.f).bits, BFloat16(1.f).bits},
              std::vector<std::uint16_t>{BFloat16(1.f).bits, BFloat16(-3.f).bits});
  EXPECT_EQ(bf16, (std::vector<std::uint16_t>{BFloat16(256.f).bits, BFloat16(-2.f).bits}));
  const std::vector<std::uint16_t> f16 =
      reduced(ReductionKind::kMax, ReductionType::kHalf, std::vector<std::uint16_t>{f16_bits(-1.f)},
              std::vector<std::uint16_t>{f16_bits(0.5f)});
  EXPECT_EQ(f16, (std::vector<std::uint16_t>{f16_bits(0.5f)}));
}

}  // namespace
}  // namespace lodestone::ptx
