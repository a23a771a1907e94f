#include "tests/gpu/emulator/tensor_arithmetic.h"

#include <algorithm>
#include <bit>

#include "tests/gpu/emulator/number_formats.h"

namespace lodestone::ptx {
namespace {

constexpr std::uint32_t kTf32Mask = ~0x1fffu;
constexpr std::size_t kMostDepth = 16, kColumns = 8, kMostSums = std::size_t{kTensorRows} * 256;

// B of mma as [depth, 8].
std::array<float, kMostDepth * kColumns> operand_b(TensorFormat format,
                                                   std::span<const LaneWords, 2> registers) {
  std::array<float, kMostDepth * kColumns> b{};
  for (int index = 0; index < 2; ++index)
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const std::uint32_t word =
          registers[static_cast<std::size_t>(index)][static_cast<std::size_t>(lane)];
      const auto place = [&b](Element at) -> float& {
        return b[static_cast<std::size_t>(at.row) * kColumns + static_cast<std::size_t>(at.column)];
      };
      if (format == TensorFormat::kTensorFloat) {
        place(operand_b_tf32(lane, index)) = tensor_element(format, word);
      } else {
        place(operand_b_16bit(lane, index, 0)) = tensor_element(format, word & 0xffffu);
        place(operand_b_16bit(lane, index, 1)) = tensor_element(format, word >> 16);
      }
    }
  return b;
}

}  // namespace

float tensor_element(TensorFormat format, std::uint32_t bits) {
  switch (format) {
    case TensorFormat::kBfloat16:
      return std::bit_cast<float>(bits << 16);
    case TensorFormat::kHalf:
      return f16_value(static_cast<std::uint16_t>(bits));
    case TensorFormat::kTensorFloat:
      break;
  }
  return std::bit_cast<float>(bits & kTf32Mask);
}

OperandA operand_a(TensorFormat format, std::span<const LaneWords, 4> registers) {
  OperandA a{};
  const auto place = [&a](Element at) -> float& {
    return a[static_cast<std::size_t>(at.row)][static_cast<std::size_t>(at.column)];
  };
  for (int index = 0; index < 4; ++index)
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const std::uint32_t word =
          registers[static_cast<std::size_t>(index)][static_cast<std::size_t>(lane)];
      if (format == TensorFormat::kTensorFloat) {
        place(operand_a_tf32(lane, index)) = tensor_element(format, word);
      } else {
        place(operand_a_16bit(lane, index, 0)) = tensor_element(format, word & 0xffffu);
        place(operand_a_16bit(lane, index, 1)) = tensor_element(format, word >> 16);
      }
    }
  return a;
}

void multiply_accumulate(std::span<LaneWords> accumulators, const OperandA& a,
                         std::span<const float> b, int depth, bool scale_d) {
  const std::size_t columns = accumulators.size() * 2;
  std::array<float, kMostSums> sums;
  const auto at = [&sums, columns](int lane, std::size_t index) -> float& {
    const Element place = accumulator(lane, static_cast<int>(index));
    return sums[static_cast<std::size_t>(place.row) * columns +
                static_cast<std::size_t>(place.column)];
  };
  for (std::size_t index = 0; index < accumulators.size(); ++index)
    for (int lane = 0; lane < kWarpSize; ++lane)
      at(lane, index) =
          scale_d ? std::bit_cast<float>(accumulators[index][static_cast<std::size_t>(lane)]) : 0.f;
  for (std::size_t row = 0; row < kTensorRows; ++row) {
    float* const sum = &sums[row * columns];
    for (std::size_t k = 0; k < static_cast<std::size_t>(depth); ++k) {
      const float factor = a[row][k];
      const float* const b_row = &b[k * columns];
      for (std::size_t column = 0; column < columns; ++column)
        sum[column] += factor * b_row[column];
    }
  }
  for (std::size_t index = 0; index < accumulators.size(); ++index)
    for (int lane = 0; lane < kWarpSize; ++lane)
      accumulators[index][static_cast<std::size_t>(lane)] =
          std::bit_cast<std::uint32_t>(at(lane, index));
}

std::array<LaneWords, 4> mma(TensorFormat format, std::span<const LaneWords, 4> a,
                             std::span<const LaneWords, 2> b, std::span<const LaneWords, 4> c) {
  std::array<LaneWords, 4> d;
  std::copy(c.begin(), c.end(), d.begin());
  multiply_accumulate(d, operand_a(format, a), operand_b(format, b), tensor_depth(format), true);
  return d;
}

}  // namespace lodestone::ptx
