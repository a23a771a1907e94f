// Every function below the pragma is compiled for AVX-512 with bf16, whatever the rest of the
// binary is compiled for. It therefore uses no function or template of a header but intrinsics: the
// linker might keep this file's copy of one for all. Instructions for bf16 appear where an
// intrinsic asks for them: not in what works on f32.
#include "kernels/cpu/attention_avx512.h"

#include <immintrin.h>

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace lodestone::kernels::avx512 {

namespace {

constexpr int kRows = static_cast<int>(kBlockRows);

// The sums of a register block: 8 rows of two vectors.
struct Block {
  __m512 left[kRows], right[kRows];
};

__m512 load(const float* from) {
  return _mm512_loadu_ps(from);
}
void store(float* to, __m512 value) {
  _mm512_storeu_ps(to, value);
}

// sum + left * right, the left word in all lanes.
__m512 multiply_add(__m512 sum, float left, __m512 right) {
  return _mm512_fmadd_ps(_mm512_set1_ps(left), right, sum);
}
__m512 multiply_add(__m512 sum, Pair left, __m512 right) {
  const __m512i pairs = _mm512_set1_epi32(static_cast<int>(left));
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(pairs),
                          reinterpret_cast<__m512bh>(right));
}

// block += left right over the whole inner extent. Element (r, i) of left is
// left[r * row_stride + i * inner_stride].
template <class Word>
__attribute__((always_inline)) inline void add_product(Block& block, const Word* left,
                                                       std::int64_t row_stride,
                                                       std::int64_t inner_stride, const Word* right,
                                                       std::int64_t inner) {
  for (std::int64_t i = 0; i < inner; ++i, left += inner_stride, right += kBlockColumns) {
    const __m512 right_low = _mm512_loadu_ps(right), right_high = _mm512_loadu_ps(right + 16);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      block.left[r] = multiply_add(block.left[r], left[r * row_stride], right_low);
      block.right[r] = multiply_add(block.right[r], left[r * row_stride], right_high);
    }
  }
}

__attribute__((always_inline)) inline void clear(Block& block) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) block.left[r] = block.right[r] = _mm512_setzero_ps();
}

template <class Word>
__attribute__((always_inline)) inline void block_product(const Word* left, std::int64_t row_stride,
                                                         std::int64_t inner_stride,
                                                         const Word* right, std::int64_t inner,
                                                         Sums sums, bool accumulate) {
  Block block;
  if (accumulate) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      block.left[r] = load(sums.data + r * sums.stride);
      block.right[r] = load(sums.data + r * sums.stride + 16);
    }
  } else {
    clear(block);
  }
  add_product(block, left, row_stride, inner_stride, right, inner);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    store(sums.data + r * sums.stride, block.left[r]);
    store(sums.data + r * sums.stride + 16, block.right[r]);
  }
}

// 2^x; zero for x below -150, relative error below 3e-7. 2^(x - floor(x)) is a polynomial, fitted
// for the least largest relative error. x may not be infinite.
__m512 power_of_two(__m512 x) {
  const __m512 fraction = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 p = _mm512_set1_ps(1.877576671e-3f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(8.989340340e-3f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(5.582631759e-2f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.401536173e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.931530731e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(9.999999251e-1f));
  return _mm512_scalef_ps(p, x);
}

// The lanes of 16 keys from `key` on of which a bit is clear.
__mmask16 kept_lanes(const std::uint64_t* dropped, std::int64_t key) {
  return static_cast<__mmask16>(~(dropped[key / 64] >> (key % 64)));
}

// 32 bf16: those of `low`, then those of `high`.
__m512i rounded(__m512 low, __m512 high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

// Pairs (low, high), lane by lane.
__m512 paired(__m512 low, __m512 high) {
  alignas(64) static constexpr std::uint16_t kOrder[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_castsi512_ps(
      _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), rounded(low, high)));
}

// Weights or gradients of 32 keys of one row, as words of one after another.
void store_row(float* to, __m512 left, __m512 right) {
  store(to, left);
  store(to + 16, right);
}
void store_row(Pair* to, __m512 left, __m512 right) {
  _mm512_storeu_si512(to, rounded(left, right));
}

// 16 keys of one row, to row `i` of two panels [words, 8].
void store_panels(float* panels, std::int64_t words, std::int64_t i, __m512 value) {
  _mm256_storeu_ps(panels + i * kBlockRows, _mm512_castps512_ps256(value));
  _mm256_storeu_ps(panels + (words + i) * kBlockRows, _mm512_extractf32x8_ps(value, 1));
}

// 8 rows from `row` on of 32 keys, as words along the rows: into four panels of 8 keys [rows, 8].
void store_by_key(float* panels, std::int64_t rows, std::int64_t row, const Block& block) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    store_panels(panels, rows, row + r, block.left[r]);
    store_panels(panels + 2 * rows * kBlockRows, rows, row + r, block.right[r]);
  }
}
void store_by_key(Pair* panels, std::int64_t rows, std::int64_t row, const Block& block) {
  const std::int64_t pairs = rows / 2;
  auto* const words = reinterpret_cast<float*>(panels);
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r += 2) {
    store_panels(words, pairs, (row + r) / 2, paired(block.left[r], block.left[r + 1]));
    store_panels(words + 2 * pairs * kBlockRows, pairs, (row + r) / 2,
                 paired(block.right[r], block.right[r + 1]));
  }
}

float highest_score(const float* scores, std::int64_t keys, float so_far) {
  __m512 left = _mm512_set1_ps(so_far), right = left;
  for (std::int64_t k = 0; k < keys; k += 32) {
    left = _mm512_max_ps(left, load(scores + k));
    right = _mm512_max_ps(right, load(scores + k + 16));
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(left, right));
}

void multiply(float* row, std::int64_t width, __m512 factor) {
  for (std::int64_t d = 0; d < width; d += 16) store(row + d, _mm512_mul_ps(load(row + d), factor));
}

template <bool kDropout, class Word>
void softmax_row(const SoftmaxTile<Word>& tile, std::int64_t r) {
  const float* const scores = tile.scores + r * tile.stride;
  Word* const weights = tile.weights + r * tile.stride / kElements<Word>;
  const std::uint64_t* const dropped = kDropout ? tile.dropped + r * kDroppedWords : nullptr;
  const __m512 scale = _mm512_set1_ps(tile.scale);
  const float highest = highest_score(scores, tile.keys, tile.maximum[r]);
  __m512 sum = load(tile.sum + 16 * r);
  if (highest > tile.maximum[r]) {
    const __m512 shrink = power_of_two(_mm512_set1_ps((tile.maximum[r] - highest) * tile.scale));
    multiply(tile.sums.data + r * tile.sums.stride, tile.width, shrink);
    sum = _mm512_mul_ps(sum, shrink);
    tile.maximum[r] = highest;
  }
  const __m512 offset = _mm512_set1_ps(highest * tile.scale);
  for (std::int64_t k = 0; k < tile.keys; k += 32) {
    __m512 left = power_of_two(_mm512_fmsub_ps(load(scores + k), scale, offset));
    __m512 right = power_of_two(_mm512_fmsub_ps(load(scores + k + 16), scale, offset));
    sum = _mm512_add_ps(sum, _mm512_add_ps(left, right));
    if constexpr (kDropout) {
      left = _mm512_maskz_mov_ps(kept_lanes(dropped, k), left);
      right = _mm512_maskz_mov_ps(kept_lanes(dropped, k + 16), right);
    }
    store_row(weights + k / kElements<Word>, left, right);
  }
  store(tile.sum + 16 * r, sum);
}

// The lanes of 16 keys from `key` on that exist.
__mmask16 valid_lanes(std::int64_t key, std::int64_t valid) {
  const std::int64_t lanes = valid - key;
  if (lanes >= 16) return 0xffff;
  return static_cast<__mmask16>(lanes <= 0 ? 0 : (1u << lanes) - 1);
}

// 8 queries from `row` on against 32 keys from `key` on.
struct Place {
  std::int64_t row, key;
};

// A row's lanes that dropout keeps, of 16 keys from `key` on.
template <class Word>
__mmask16 kept_lanes(const GradientTile<Word>& t, std::int64_t row, std::int64_t key) {
  return kept_lanes(t.dropped + row * kDroppedWords, key);
}

// Leaves the probabilities in the block, and stores what dropout leaves of them.
template <bool kDropout, class Word>
__attribute__((always_inline)) inline void probabilities(const GradientTile<Word>& t, Place at,
                                                         Block& block) {
  const __m512 scale = _mm512_set1_ps(t.scale);
  const __mmask16 valid_left = valid_lanes(at.key, t.valid);
  const __mmask16 valid_right = valid_lanes(at.key + 16, t.valid);
  Block kept;
  clear(block);
  add_product(block, t.queries + at.row * t.inner, 1, kBlockRows, t.keys + at.key * t.inner,
              t.inner);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const std::int64_t row = at.row + r;
    const __m512 log2_sum = _mm512_set1_ps(t.log2_sums[row]);
    const auto weight = [&](__m512 score, __mmask16 valid) {
      return _mm512_maskz_mov_ps(valid, power_of_two(_mm512_fmsub_ps(score, scale, log2_sum)));
    };
    kept.left[r] = block.left[r] = weight(block.left[r], valid_left);
    kept.right[r] = block.right[r] = weight(block.right[r], valid_right);
    if constexpr (kDropout) {
      kept.left[r] = _mm512_maskz_mov_ps(kept_lanes(t, row, at.key), kept.left[r]);
      kept.right[r] = _mm512_maskz_mov_ps(kept_lanes(t, row, at.key + 16), kept.right[r]);
    }
  }
  store_by_key(t.weights_by_key + at.key * t.rows / kElements<Word>, t.rows, at.row, kept);
}

template <bool kDropout, class Word>
void gradient_block(const GradientTile<Word>& t, Place at) {
  Block probability, block;
  probabilities<kDropout>(t, at, probability);
  clear(block);
  add_product(block, t.dy + at.row * t.inner, 1, kBlockRows, t.values + at.key * t.inner, t.inner);
  const __m512 dropout_scale = _mm512_set1_ps(t.dropout_scale);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const std::int64_t row = at.row + r;
    const __m512 sum_dy_y = _mm512_set1_ps(t.sum_dy_y[row]);
    __m512 left = block.left[r], right = block.right[r];
    if constexpr (kDropout) {
      left = _mm512_maskz_mul_ps(kept_lanes(t, row, at.key), left, dropout_scale);
      right = _mm512_maskz_mul_ps(kept_lanes(t, row, at.key + 16), right, dropout_scale);
    }
    block.left[r] = _mm512_mul_ps(probability.left[r], _mm512_sub_ps(left, sum_dy_y));
    block.right[r] = _mm512_mul_ps(probability.right[r], _mm512_sub_ps(right, sum_dy_y));
    store_row(t.dscores + (row * t.stride + at.key) / kElements<Word>, block.left[r],
              block.right[r]);
  }
  store_by_key(t.dscores_by_key + at.key * t.rows / kElements<Word>, t.rows, at.row, block);
}

}  // namespace

template <class Word>
void product(Rows<Word> left, const Word* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate) {
  for (std::int64_t c = 0; c < columns; c += kBlockColumns)
    for (std::int64_t r = 0; r < rows; r += kBlockRows)
      block_product(left.data + r * left.stride, left.stride, 1, right + c * inner, inner,
                    {sums.data + r * sums.stride + c, sums.stride}, accumulate);
}

template <class Word>
void product(Panels<Word> left, const Word* right, Sums sums, std::int64_t rows,
             std::int64_t columns, std::int64_t inner, bool accumulate) {
  for (std::int64_t c = 0; c < columns; c += kBlockColumns)
    for (std::int64_t r = 0; r < rows; r += kBlockRows)
      block_product(left.data + r * inner, 1, kBlockRows, right + c * inner, inner,
                    {sums.data + r * sums.stride + c, sums.stride}, accumulate);
}

template <class Word>
void softmax(const SoftmaxTile<Word>& tile) {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    for (std::int64_t k = tile.valid; k < tile.keys; ++k)
      tile.scores[r * tile.stride + k] = kNoMaximum;
    if (tile.dropped)
      softmax_row<true>(tile, r);
    else
      softmax_row<false>(tile, r);
  }
}

template <class Word>
void softmax_backward(const GradientTile<Word>& tile) {
  for (std::int64_t key = 0; key < tile.keys_padded; key += kBlockColumns)
    for (std::int64_t row = 0; row < tile.rows; row += kBlockRows) {
      if (tile.dropped)
        gradient_block<true>(tile, {row, key});
      else
        gradient_block<false>(tile, {row, key});
    }
}

template void product(Rows<float>, const float*, Sums, std::int64_t, std::int64_t, std::int64_t,
                      bool);
template void product(Rows<Pair>, const Pair*, Sums, std::int64_t, std::int64_t, std::int64_t,
                      bool);
template void product(Panels<float>, const float*, Sums, std::int64_t, std::int64_t, std::int64_t,
                      bool);
template void product(Panels<Pair>, const Pair*, Sums, std::int64_t, std::int64_t, std::int64_t,
                      bool);
template void softmax(const SoftmaxTile<float>&);
template void softmax(const SoftmaxTile<Pair>&);
template void softmax_backward(const GradientTile<float>&);
template void softmax_backward(const GradientTile<Pair>&);

}  // namespace lodestone::kernels::avx512
