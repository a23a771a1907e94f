#pragma once
// The tile kernels of attention on processors with AVX-512: products, and the softmax between them.
//
// A word is what one lane multiplies: an f32, or a pair of bf16 that are neighbours along the inner
// extent of a product, the first in the lower half (this takes avx512_bf16 of cpu_features.h).
// Either way sums are f32. Rows of left operands come in blocks of 8, columns of right ones in
// blocks of 32: one register block of 16 sums. Extents are padded to whole blocks, with zeros.
#include <cstdint>
#include <type_traits>

namespace lodestone::kernels::avx512 {

using Pair = std::uint32_t;
template <class Word>
inline constexpr std::int64_t kElements = std::is_same_v<Word, Pair> ? 2 : 1;  // of a word

inline constexpr std::int64_t kBlockRows = 8, kBlockColumns = 32;
inline constexpr std::int64_t kDroppedWords = 2;  // 64-bit words of a query's bits, one per key

// Left operands, [rows, inner]: by rows, or in panels [inner, 8] one after another.
template <class Word>
struct Rows {
  const Word* data;
  std::int64_t stride;
};
template <class Word>
struct Panels {
  const Word* data;
};
// A right operand, [inner, columns], is panels [inner, 32] one after another.

struct Sums {
  float* data;
  std::int64_t stride;
};
// sums[rows, columns] (+)= left right; `inner` counts words. `accumulate`: else sums is never read.
template <class Word>
void product(Rows<Word> left, const Word* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate);
template <class Word>
void product(Panels<Word> left, const Word* right, Sums sums, std::int64_t rows,
             std::int64_t columns, std::int64_t inner, bool accumulate);

// A tile of queries against a tile of keys on its way through the running softmax. Scores are not
// divided by sqrt(head_size): `scale` is log2(e) / sqrt(head_size).
template <class Word>
struct SoftmaxTile {
  float* scores;  // [rows, keys], rows `stride` apart; overwritten
  Word* weights;  // [rows, keys], as far apart: exp2(scale (score - maximum)) or, if
                  // dropped, zero. For f32 these may be the scores
  std::int64_t rows;
  std::int64_t keys;    // padded
  std::int64_t valid;   // keys that exist
  std::int64_t stride;  // in keys
  float scale;
  const std::uint64_t* dropped;  // [rows, kDroppedWords], or null
  float* maximum;                // [rows]: of the scores so far
  float* sum;                    // [rows, 16]: of the weights so far, dropped ones included
  Sums sums;                     // [rows, width]: of weights times values so far
  std::int64_t width;
};
inline constexpr float kNoMaximum = -8e37f;  // what `maximum` begins with: below any score
template <class Word>
void softmax(const SoftmaxTile<Word>& tile);

// A tile of queries against a tile of keys in the backward.
template <class Word>
struct GradientTile {
  const Word *queries, *dy;   // panels of 8 queries
  const Word *keys, *values;  // panels of 32 keys
  std::int64_t rows, keys_padded;
  std::int64_t valid;            // keys that exist
  std::int64_t inner;            // words of a head
  float scale;                   // as above
  float dropout_scale;           // of what is not dropped
  const float* log2_sums;        // [rows]: log2(e) * log-sum-exp
  const float* sum_dy_y;         // [rows]
  const std::uint64_t* dropped;  // as above
  std::int64_t stride;
  Word* weights_by_key;  // panels of 8 keys [rows, 8]: probabilities, dropped ones zero
  Word* dscores_by_key;  // the same of the gradients of scores
  Word* dscores;         // [rows, keys], rows `stride` keys apart
};
template <class Word>
void softmax_backward(const GradientTile<Word>& tile);

}  // namespace lodestone::kernels::avx512
