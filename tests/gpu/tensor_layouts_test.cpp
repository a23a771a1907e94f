// The fragment layouts against the (thread, value) -> element layouts that CUTLASS publishes for
// the same instructions, and the arithmetic against f64.
#include "tests/gpu/emulator/tensor_layouts.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "engine/core/bfloat16.h"
#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/emulator/tensor_arithmetic.h"

namespace lodestone::ptx {
namespace {

// shape:stride of one mode of a layout, the form in which the layouts are published.
struct Mode {
  int shape;
  int stride;
};

// The offset at a coordinate that counts through the modes, the first fastest.
int offset_at(int coordinate, const std::vector<Mode>& modes) {
  int offset = 0;
  for (const Mode& mode : modes) {
    offset += coordinate % mode.shape * mode.stride;
    coordinate /= mode.shape;
  }
  return offset;
}

// A layout maps (thread, value) to an offset in a column-major matrix of `rows` rows.
struct ThreadValueLayout {
  int rows;
  std::vector<Mode> thread, value;
  Element at(int lane, int index) const {
    const int offset = offset_at(lane, thread) + offset_at(index, value);
    return {offset % rows, offset / rows};
  }
};

Element swapped(Element element) {
  return {element.column, element.row};
}

TEST(TensorLayouts, OperandAOf16Bits) {
  const ThreadValueLayout published{16, {{4, 32}, {8, 1}}, {{2, 16}, {2, 8}, {2, 128}}};
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < 8; ++value)
      EXPECT_EQ(operand_a_16bit(lane, value / 2, value % 2), published.at(lane, value));
}

TEST(TensorLayouts, OperandBOf16Bits) {
  const ThreadValueLayout published{8, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}};  // (n, k)
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < 4; ++value)
      EXPECT_EQ(swapped(operand_b_16bit(lane, value / 2, value % 2)), published.at(lane, value));
}

TEST(TensorLayouts, Accumulator) {
  const ThreadValueLayout published{16, {{4, 32}, {8, 1}}, {{2, 16}, {2, 8}}};
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < 4; ++value)
      EXPECT_EQ(accumulator(lane, value), published.at(lane, value));
}

TEST(TensorLayouts, Tf32Operands) {
  const ThreadValueLayout a{16, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}};
  const ThreadValueLayout b{8, {{4, 8}, {8, 1}}, {{2, 32}}};  // (n, k)
  for (int lane = 0; lane < 32; ++lane) {
    for (int value = 0; value < 4; ++value)
      EXPECT_EQ(operand_a_tf32(lane, value), a.at(lane, value));
    for (int value = 0; value < 2; ++value)
      EXPECT_EQ(swapped(operand_b_tf32(lane, value)), b.at(lane, value));
  }
}

// Of a warpgroup: 128 threads over 64 rows.
TEST(TensorLayouts, WarpgroupAccumulatorsAndOperandA) {
  constexpr int kColumns = 256;
  const std::vector<Mode> threads{{4, 128}, {8, 1}, {4, 16}};
  const ThreadValueLayout d{64, threads, {{2, 64}, {2, 8}, {kColumns / 8, 512}}};
  const ThreadValueLayout a{64, threads, {{2, 64}, {2, 8}, {2, 512}}};
  const ThreadValueLayout a_tf32{64, {{4, 64}, {8, 1}, {4, 16}}, {{2, 8}, {2, 256}}};
  const auto of_warpgroup = [](int thread, Element of_warp) {
    return Element{of_warp.row + thread / 32 * 16, of_warp.column};
  };
  for (int thread = 0; thread < 128; ++thread) {
    const int lane = thread % 32;
    for (int value = 0; value < kColumns / 2; ++value)
      EXPECT_EQ(of_warpgroup(thread, accumulator(lane, value)), d.at(thread, value));
    for (int value = 0; value < 8; ++value)
      EXPECT_EQ(of_warpgroup(thread, operand_a_16bit(lane, value / 2, value % 2)),
                a.at(thread, value));
    for (int value = 0; value < 4; ++value)
      EXPECT_EQ(of_warpgroup(thread, operand_a_tf32(lane, value)), a_tf32.at(thread, value));
  }
}

// ldmatrix: thread 0 gets the first two elements of row 0, thread 1 the next two, thread 4 starts
// row 1.
TEST(TensorLayouts, MatrixOfEightRows) {
  std::vector<int> elements;
  for (int lane = 0; lane < 32; ++lane)
    for (int half = 0; half < 2; ++half) {
      const Element at = matrix_8x8(lane, half);
      elements.push_back(at.row * 8 + at.column);
    }
  for (int i = 0; i < 64; ++i) EXPECT_EQ(elements[static_cast<std::size_t>(i)], i);
}

std::uint32_t encode(TensorFormat format, float value) {
  switch (format) {
    case TensorFormat::kBfloat16:
      return BFloat16(value).bits;
    case TensorFormat::kHalf:
      return f16_bits(value);
    case TensorFormat::kTensorFloat:
      break;
  }
  // What lies below tf32's last bit must not matter.
  return (std::bit_cast<std::uint32_t>(value) & ~0x1fffu) | 0x0abcu;
}

double decode(TensorFormat format, std::uint32_t bits) {
  if (format == TensorFormat::kBfloat16) return std::bit_cast<float>(bits << 16);
  if (format == TensorFormat::kTensorFloat) return std::bit_cast<float>(bits & ~0x1fffu);
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double mantissa = (exponent == 0 ? 0.0 : 1024.0) + static_cast<double>(bits & 1023);
  const double magnitude = std::ldexp(mantissa, std::max(exponent, 1) - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// A matrix in registers: bits_at(element) of `values` elements a lane, `per_word` in a register.
template <std::size_t kRegisters, class BitsAt>
std::array<LaneWords, kRegisters> spread(const ThreadValueLayout& layout, int per_word,
                                         BitsAt&& bits_at) {
  std::array<LaneWords, kRegisters> words{};
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < static_cast<int>(kRegisters) * per_word; ++value)
      words[static_cast<std::size_t>(value / per_word)][static_cast<std::size_t>(lane)] |=
          bits_at(layout.at(lane, value)) << value % per_word * 16;
  return words;
}

struct PublishedLayouts {
  ThreadValueLayout a, b, c;
};
PublishedLayouts layouts_of(TensorFormat format) {
  const std::vector<Mode> threads{{4, 32}, {8, 1}};
  const ThreadValueLayout c{16, threads, {{2, 16}, {2, 8}}};
  if (format == TensorFormat::kTensorFloat)
    return {{16, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}}, {8, {{4, 8}, {8, 1}}, {{2, 32}}}, c};
  return {{16, threads, {{2, 16}, {2, 8}, {2, 128}}}, {8, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}}, c};
}

class MmaArithmetic : public testing::TestWithParam<TensorFormat> {};

TEST_P(MmaArithmetic, IsTheMatrixProduct) {
  const TensorFormat format = GetParam();
  const auto depth = static_cast<std::size_t>(tensor_depth(format));
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<std::uint32_t> a(16 * depth), b(8 * depth);
  for (auto& bits : a) bits = encode(format, normal(random));
  for (auto& bits : b) bits = encode(format, normal(random));
  std::vector<float> c(16 * 8);
  for (float& value : c) value = normal(random);
  const auto index = [](Element at, std::size_t columns) {
    return static_cast<std::size_t>(at.row) * columns + static_cast<std::size_t>(at.column);
  };
  const PublishedLayouts layouts = layouts_of(format);
  const int per_word = format == TensorFormat::kTensorFloat ? 1 : 2;
  const std::array<LaneWords, 4> d =
      mma(format, spread<4>(layouts.a, per_word, [&](Element at) { return a[index(at, depth)]; }),
          spread<2>(layouts.b, per_word, [&](Element at) { return b[index(at, depth)]; }),
          spread<4>(layouts.c, 1,
                    [&](Element at) { return std::bit_cast<std::uint32_t>(c[index(at, 8)]); }));
  std::vector<double> expected(c.begin(), c.end());
  for (std::size_t i = 0; i < 16; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      for (std::size_t k = 0; k < depth; ++k)
        expected[i * 8 + j] += decode(format, a[i * depth + k]) * decode(format, b[j * depth + k]);
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < 4; ++value)
      EXPECT_NEAR(
          std::bit_cast<float>(d[static_cast<std::size_t>(value)][static_cast<std::size_t>(lane)]),
          expected[index(layouts.c.at(lane, value), 8)], 2e-5)
          << "lane " << lane << " value " << value;
}

INSTANTIATE_TEST_SUITE_P(Formats, MmaArithmetic,
                         testing::Values(TensorFormat::kBfloat16, TensorFormat::kHalf,
                                         TensorFormat::kTensorFloat));

}  // namespace
}  // namespace lodestone::ptx
