#pragma once
// What a dropout multiplies the elements of a row by, on the device: the CPU's bits.
#include "kernels/cuda/device.cuh"
#include "kernels/dropout.h"

namespace lodestone::kernels {

class DropoutRow {
 public:
  __device__ DropoutRow(const DropoutMask& mask, std::int64_t row)
      : enabled_(mask.enabled),
        threshold_(mask.threshold),
        scale_(static_cast<float>(mask.scale)),
        key_(mask.key),
        row_key_(mask.enabled ? static_cast<std::uint64_t>(mask.row_keys[row]) : 0) {}

  // factors[i]: 0 where column first + i is dropped, else the scale. `first` is a multiple of
  // kWidth, and kWidth is 1 or a multiple of 4: four columns have one Philox block, so single ones
  // cost four times as much.
  template <int kWidth>
  __device__ void factors(std::int64_t first, float (&factors)[kWidth]) const {
    if (!enabled_) {
#pragma unroll
      for (float& factor : factors) factor = 1;
    } else if constexpr (kWidth == 1) {
      const PhiloxBlock words = block_of(first);
      std::uint32_t word = words[0];  // registers cannot be indexed by a variable
#pragma unroll
      for (unsigned w = 1; w < 4; ++w)
        if (first % 4 == w) word = words[w];
      factors[0] = factor_of(word);
    } else {
#pragma unroll
      for (int i = 0; i < kWidth; i += 4) {
        const PhiloxBlock words = block_of(first + i);
#pragma unroll
        for (unsigned w = 0; w < 4; ++w) factors[i + w] = factor_of(words[w]);
      }
    }
  }

 private:
  __device__ PhiloxBlock block_of(std::int64_t column) const {
    return key_.at(row_key_, static_cast<std::uint32_t>(column / 4));
  }
  __device__ float factor_of(std::uint32_t word) const { return word < threshold_ ? 0 : scale_; }

  bool enabled_;
  std::uint32_t threshold_;
  float scale_;
  RandomKey key_;
  std::uint64_t row_key_;
};

}  // namespace lodestone::kernels
