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

class MmaArithmetic : public testing::TestWithParam<TensorFormat> {};

TEST_P(MmaArithmetic, IsTheMatrixProduct) {
  const TensorFormat format = GetParam();
  const bool is_tf32 = format == TensorFormat::kTensorFloat;
  const int depth = is_tf32 ? 8 : 16;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<std::uint32_t> a(static_cast<std::size_t>(16 * depth)),
      b(static_cast<std::size_t>(8 * depth));
  for (auto& bits : a) bits = encode(format, normal(random));
  for (auto& bits : b) bits = encode(format, normal(random));
  std::vector<float> c(16 * 8);
  for (float& value : c) value = normal(random);
  std::array<LaneWords, 4> a_words{}, c_words{};
  std::array<LaneWords, 2> b_words{};
  const std::vector<Mode> threads_16{{4, 32}, {8, 1}};
  const ThreadValueLayout a_layout =
      is_tf32 ? ThreadValueLayout{16, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}}
              : ThreadValueLayout{16, threads_16, {{2, 16}, {2, 8}, {2, 128}}};
  const ThreadValueLayout b_layout =
      is_tf32 ? ThreadValueLayout{8, {{4, 8}, {8, 1}}, {{2, 32}}}
              : ThreadValueLayout{8, {{4, 16}, {8, 1}}, {{2, 8}, {2, 64}}};
  const ThreadValueLayout c_layout{16, threads_16, {{2, 16}, {2, 8}}};
  const int per_word = is_tf32 ? 1 : 2;
  for (int lane = 0; lane < 32; ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    for (int value = 0; value < 4 * per_word; ++value) {
      const Element at = a_layout.at(lane, value);
      a_words[static_cast<std::size_t>(value / per_word)][l] |=
          a[static_cast<std::size_t>(at.row * depth + at.column)] << value % per_word * 16;
    }
    for (int value = 0; value < 2 * per_word; ++value) {
      const Element at = b_layout.at(lane, value);
      b_words[static_cast<std::size_t>(value / per_word)][l] |=
          b[static_cast<std::size_t>(at.row * depth + at.column)] << value % per_word * 16;
    }
    for (int value = 0; value < 4; ++value) {
      const Element at = c_layout.at(lane, value);
      c_words[static_cast<std::size_t>(value)][l] =
          std::bit_cast<std::uint32_t>(c[static_cast<std::size_t>(at.row * 8 + at.column)]);
    }
  }
  const std::array<LaneWords, 4> d = mma(format, a_words, b_words, c_words);
  for (int lane = 0; lane < 32; ++lane)
    for (int value = 0; value < 4; ++value) {
      const Element at = c_layout.at(lane, value);
      double expected = c[static_cast<std::size_t>(at.row * 8 + at.column)];
      for (int k = 0; k < depth; ++k)
        expected += decode(format, a[static_cast<std::size_t>(at.row * depth + k)]) *
                    decode(format, b[static_cast<std::size_t>(at.column * depth + k)]);
      const float found =
          std::bit_cast<float>(d[static_cast<std::size_t>(value)][static_cast<std::size_t>(lane)]);
      EXPECT_NEAR(found, expected, 2e-5) << "lane " << lane << " value " << value;
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, MmaArithmetic,
                         testing::Values(TensorFormat::kBfloat16, TensorFormat::kHalf,
                                         TensorFormat::kTensorFloat));

}  // namespace
}  // namespace lodestone::ptx
