#pragma once
// The tile kernels of bf16 attention on processors with AVX-512 and its bf16 dot product (see
// cpu_features.h): products of bf16 pairs summed in f32, and the softmax between them.
//
// A pair is two bf16 that are neighbours along the inner extent of a product, the first in the
// lower half. Rows of left operands come in blocks of 8, columns of right ones in blocks of 32: one
// register block of 16 sums. Extents are padded to whole blocks; what pads is zero.
#include <cstdint>

namespace lodestone::kernels::avx512 {

using Pair = std::uint32_t;
inline constexpr std::int64_t kBlockRows = 8, kBlockColumns = 32;

// Left operands, [rows, inner]: by rows, or in panels [inner, 8] one after another.
struct PairRows {
  const Pair* data;
  std::int64_t stride;
};
struct PairPanels {
  const Pair* data;
};
// A right operand, [inner, columns], is panels [inner, 32] one after another.

struct Sums {
  float* data;
  std::int64_t stride;
};
// sums[rows, columns] (+)= left right; `inner` counts pairs. `accumulate`: else sums is never read.
void product(PairRows left, const Pair* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate);
void product(PairPanels left, const Pair* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate);

// A tile of queries against a tile of keys on its way through the running softmax. Scores are not
// divided by sqrt(head_size): `scale` is log2(e) / sqrt(head_size).
struct SoftmaxTile {
  float* scores;            // [rows, keys], stride as of weights; columns from `valid` on: any
  Pair* weights;            // [rows, keys]: exp2(scale (score - maximum)), dropped ones zero
  std::int64_t rows, keys;  // padded
  std::int64_t valid;       // keys that exist
  std::int64_t stride;      // of scores in floats; weights' is half of it
  float scale;
  const std::uint64_t* dropped;  // [rows, 2]: a bit per key; or null
  float* maximum;                // [rows]: of the scores so far
  float* sum;                    // [rows, 16]: of the weights so far, dropped ones included
  Sums sums;                     // [rows, width]: of weights times values so far
  std::int64_t width;
};
inline constexpr float kNoMaximum = -8e37f;  // what `maximum` begins with: below any score
void softmax(const SoftmaxTile& tile);

// A tile of queries against a tile of keys in the backward.
struct GradientTile {
  const Pair *queries, *dy;   // panels of 8 queries
  const Pair *keys, *values;  // panels of 32 keys
  std::int64_t rows, keys_padded, valid, inner;
  float scale;                   // as above
  float dropout_scale;           // of what is not dropped
  const float* log2_sums;        // [rows]: log2(e) * log-sum-exp
  const float* sum_dy_y;         // [rows]
  const std::uint64_t* dropped;  // as above
  std::int64_t stride;           // of dscores in keys
  Pair* weights_by_key;          // panels of 8 keys [rows / 2, 8]: probabilities, dropped ones zero
  Pair* dscores_by_key;          // the same of the gradients of scores
  Pair* dscores;                 // [rows, keys]
};
void softmax_backward(const GradientTile& tile);

}  // namespace lodestone::kernels::avx512
