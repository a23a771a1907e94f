// Every function below the pragma is compiled for AVX-512 with bf16, whatever the rest of the
// binary is compiled for. It therefore uses no function or template of a header but intrinsics:
// the linker might keep this file's copy of one for all.
#include "kernels/cpu/attention_avx512.h"

#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace lodestone::kernels::avx512 {

namespace {

constexpr int kRows = static_cast<int>(kBlockRows);
constexpr std::int64_t kDroppedWords = 2;

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

__m512 pair_product(__m512 sum, __m512i left, __m512i right) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(left), reinterpret_cast<__m512bh>(right));
}

// block += left right over the whole inner extent. Element (r, i) of left is
// left[r * row_stride + i * inner_stride].
__attribute__((always_inline)) inline void add_product(Block& block, const Pair* left,
                                                       std::int64_t row_stride,
                                                       std::int64_t inner_stride, const Pair* right,
                                                       std::int64_t inner) {
  for (std::int64_t i = 0; i < inner; ++i, left += inner_stride, right += kBlockColumns) {
    const __m512i right_low = _mm512_loadu_si512(right);
    const __m512i right_high = _mm512_loadu_si512(right + 16);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i factor = _mm512_set1_epi32(static_cast<int>(left[r * row_stride]));
      block.left[r] = pair_product(block.left[r], factor, right_low);
      block.right[r] = pair_product(block.right[r], factor, right_high);
    }
  }
}

__attribute__((always_inline)) inline void clear(Block& block) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) block.left[r] = block.right[r] = _mm512_setzero_ps();
}

__attribute__((always_inline)) inline void block_product(const Pair* left, std::int64_t row_stride,
                                                         std::int64_t inner_stride,
                                                         const Pair* right, std::int64_t inner,
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

// 2^x, zero for x below -150; relative error below 3e-6, for what is rounded to bf16 next.
// 2^(x - floor(x)) is a polynomial (Chebyshev-weighted fit); x may not be infinite.
__m512 power_of_two(__m512 x) {
  const __m512 fraction = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 p = _mm512_set1_ps(1.353416787e-2f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(5.201146277e-2f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.414427539e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.930038356e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(1.000002593f));
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
__m512i paired(__m512 low, __m512 high) {
  alignas(64) static constexpr std::uint16_t kOrder[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), rounded(low, high));
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

template <bool kDropout>
void softmax_row(const SoftmaxTile& tile, std::int64_t r) {
  const float* const scores = tile.scores + r * tile.stride;
  Pair* const weights = tile.weights + r * tile.stride / 2;
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
    _mm512_storeu_si512(weights + k / 2, rounded(left, right));
  }
  store(tile.sum + 16 * r, sum);
}

// Row pairs of a block in panels of 8 keys: pair `i` of each of the four panels of 32 keys.
void store_by_key(Pair* panels, std::int64_t pairs, std::int64_t i, __m512i left, __m512i right) {
  Pair* const to = panels + i * kBlockRows;
  const std::int64_t panel = pairs * kBlockRows;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(left));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + panel), _mm512_extracti64x4_epi64(left, 1));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 2 * panel), _mm512_castsi512_si256(right));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 3 * panel),
                      _mm512_extracti64x4_epi64(right, 1));
}

// The lanes of 16 keys from `key` on that exist.
__mmask16 valid_lanes(std::int64_t key, std::int64_t valid) {
  const std::int64_t lanes = valid - key;
  if (lanes >= 16) return 0xffff;
  return static_cast<__mmask16>(lanes <= 0 ? 0 : (1u << lanes) - 1);
}

// 8 queries from `row` on against 32 keys from `key` on.
template <bool kDropout>
void gradient_block(const GradientTile& t, std::int64_t row, std::int64_t key) {
  const std::int64_t pairs = t.rows / 2;
  const __m512 scale = _mm512_set1_ps(t.scale);
  const __mmask16 valid_left = valid_lanes(key, t.valid);
  const __mmask16 valid_right = valid_lanes(key + 16, t.valid);
  const std::uint64_t* const dropped = kDropout ? t.dropped + row * kDroppedWords : nullptr;
  const auto kept = [&](int r, std::int64_t k) {
    return kept_lanes(dropped + r * kDroppedWords, k);
  };
  alignas(64) float probability[kRows][kBlockColumns];
  Block block;
  clear(block);
  add_product(block, t.queries + row * t.inner, 1, kBlockRows, t.keys + key * t.inner, t.inner);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const __m512 log2_sum = _mm512_set1_ps(t.log2_sums[row + r]);
    const auto weight = [&](__m512 score, __mmask16 valid) {
      return _mm512_maskz_mov_ps(valid, power_of_two(_mm512_fmsub_ps(score, scale, log2_sum)));
    };
    block.left[r] = weight(block.left[r], valid_left);
    block.right[r] = weight(block.right[r], valid_right);
    store(probability[r], block.left[r]);
    store(probability[r] + 16, block.right[r]);
    if constexpr (kDropout) {
      block.left[r] = _mm512_maskz_mov_ps(kept(r, key), block.left[r]);
      block.right[r] = _mm512_maskz_mov_ps(kept(r, key + 16), block.right[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r += 2)
    store_by_key(t.weights_by_key + key * pairs, pairs, (row + r) / 2,
                 paired(block.left[r], block.left[r + 1]),
                 paired(block.right[r], block.right[r + 1]));

  clear(block);
  add_product(block, t.dy + row * t.inner, 1, kBlockRows, t.values + key * t.inner, t.inner);
  const __m512 dropout_scale = _mm512_set1_ps(t.dropout_scale);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const __m512 sum_dy_y = _mm512_set1_ps(t.sum_dy_y[row + r]);
    if constexpr (kDropout) {
      block.left[r] = _mm512_maskz_mul_ps(kept(r, key), block.left[r], dropout_scale);
      block.right[r] = _mm512_maskz_mul_ps(kept(r, key + 16), block.right[r], dropout_scale);
    }
    block.left[r] = _mm512_mul_ps(load(probability[r]), _mm512_sub_ps(block.left[r], sum_dy_y));
    block.right[r] =
        _mm512_mul_ps(load(probability[r] + 16), _mm512_sub_ps(block.right[r], sum_dy_y));
    _mm512_storeu_si512(t.dscores + ((row + r) * t.stride + key) / 2,
                        rounded(block.left[r], block.right[r]));
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r += 2)
    store_by_key(t.dscores_by_key + key * pairs, pairs, (row + r) / 2,
                 paired(block.left[r], block.left[r + 1]),
                 paired(block.right[r], block.right[r + 1]));
}

}  // namespace

void product(PairRows left, const Pair* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate) {
  for (std::int64_t c = 0; c < columns; c += kBlockColumns)
    for (std::int64_t r = 0; r < rows; r += kBlockRows)
      block_product(left.data + r * left.stride, left.stride, 1, right + c * inner, inner,
                    {sums.data + r * sums.stride + c, sums.stride}, accumulate);
}

void product(PairPanels left, const Pair* right, Sums sums, std::int64_t rows, std::int64_t columns,
             std::int64_t inner, bool accumulate) {
  for (std::int64_t c = 0; c < columns; c += kBlockColumns)
    for (std::int64_t r = 0; r < rows; r += kBlockRows)
      block_product(left.data + r * inner, 1, kBlockRows, right + c * inner, inner,
                    {sums.data + r * sums.stride + c, sums.stride}, accumulate);
}

void softmax(const SoftmaxTile& tile) {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    for (std::int64_t k = tile.valid; k < tile.keys; ++k)
      tile.scores[r * tile.stride + k] = kNoMaximum;
    if (tile.dropped)
      softmax_row<true>(tile, r);
    else
      softmax_row<false>(tile, r);
  }
}

void softmax_backward(const GradientTile& tile) {
  for (std::int64_t key = 0; key < tile.keys_padded; key += kBlockColumns)
    for (std::int64_t row = 0; row < tile.rows; row += kBlockRows) {
      if (tile.dropped)
        gradient_block<true>(tile, row, key);
      else
        gradient_block<false>(tile, row, key);
    }
}

}  // namespace lodestone::kernels::avx512
