#pragma once
// What the tensor-core instructions compute, on the registers of one warp.
//
// Products are exact (every format has at most 11 significant bits) and are added in f32 in the
// order of k, one rounding per term. Hardware truncates in an order of its own: results agree
// within a tolerance, never to the bit.
#include <array>
#include <cstdint>
#include <span>

#include "tests/gpu/emulator/tensor_layouts.h"

namespace lodestone::ptx {

enum class TensorFormat : std::uint8_t { kBfloat16, kHalf, kTensorFloat };

// Extent of k of one instruction: 256 bits of a row.
constexpr int tensor_depth(TensorFormat format) {
  return format == TensorFormat::kTensorFloat ? 8 : 16;
}
constexpr int tensor_element_bytes(TensorFormat format) {
  return format == TensorFormat::kTensorFloat ? 4 : 2;
}

// The value of the low bits of `bits` (16 of them, or 32 of which tf32 ignores the last 13).
float tensor_element(TensorFormat format, std::uint32_t bits);

using LaneWords = std::array<std::uint32_t, kWarpSize>;

// Rows of a warp's share of A and of D.
constexpr int kTensorRows = 16;
constexpr int kMaximumTensorDepth = 16;
using OperandA = std::array<std::array<float, kMaximumTensorDepth>, kTensorRows>;

// The 16 rows of A that a warp holds in four registers.
OperandA operand_a(TensorFormat format, std::span<const LaneWords, 4> registers);

// accumulator += a * b, where b is [depth, columns] and the accumulator of the warp's 16 rows is
// given in registers, four per 8 columns. With `scale_d` false the accumulator counts as zero.
void multiply_accumulate(std::span<LaneWords> accumulators, const OperandA& a,
                         std::span<const float> b, int depth, bool scale_d);

// mma.sync m16n8k16 (bf16, f16) and m16n8k8 (tf32): d = a * b + c, f32 accumulators.
std::array<LaneWords, 4> mma(TensorFormat format, std::span<const LaneWords, 4> a,
                             std::span<const LaneWords, 2> b, std::span<const LaneWords, 4> c);

}  // namespace lodestone::ptx
