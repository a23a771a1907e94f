// Every function below the pragma is compiled for AVX-512 with bf16, whatever the rest of the
// binary is compiled for: it uses no function or template of a header but intrinsics and those of
// vectors_avx512.h. Sums and gradients on their way through a row stay in the first-level cache, in
// f32, so memory sees every array once.
#include <immintrin.h>

#include "kernels/cpu/random_words.h"
#include "kernels/cpu/row_passes.h"

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

#include "kernels/cpu/vectors_avx512.h"

namespace lodestone::kernels::avx512 {

namespace {

std::int64_t whole_lines(std::int64_t floats) {
  return (floats + 15) / 16 * 16;
}

// A thread's memory, [cols] each.
struct Workspace {
  Workspace(float* data, std::int64_t cols)
      : weight(data),
        bias(weight + whole_lines(cols)),
        first(bias + whole_lines(cols)),
        second(first + whole_lines(cols)),
        dropped(reinterpret_cast<std::uint64_t*>(second + whole_lines(cols))) {}
  float *weight, *bias;    // of the layer norm, in f32
  float *first, *second;   // of a row, between two passes over it
  std::uint64_t* dropped;  // a bit per column
};

std::int64_t workspace_bytes(std::int64_t cols) {
  constexpr std::int64_t kRows = 4, kFloat = 4, kWord = 8;
  return kRows * kFloat * whole_lines(cols) + (cols + 63) / 64 * kWord;
}

// The bits of a row that are dropped.
void decide(const DropoutMask& mask, std::int64_t r, std::int64_t cols, std::uint64_t* dropped) {
  const auto low = static_cast<std::uint32_t>(mask.key.value);
  const auto high = static_cast<std::uint32_t>(mask.key.value >> 32);
  const std::int64_t words = (cols + 63) / 64;
  words_below_avx512({{low, high, 0, 0, 0, 0}, mask.threshold, mask.row_keys + r, 1, words, words},
                     dropped);
}

__mmask16 kept(const std::uint64_t* dropped, std::int64_t i) {
  return static_cast<__mmask16>(~(dropped[i / 64] >> (i % 64)));
}

template <class T>
void widen(const void* from, std::int64_t cols, float* to) {
  const T* row = static_cast<const T*>(from);
  for_vectors(
      cols, [&](std::int64_t i, int, auto lanes)
                __attribute__((always_inline)) { store(to + i, load(row + i, lanes), lanes); });
}

// A row of the next pass is asked for while this one is worked on: no prefetcher reads ahead of a
// row while its bits are decided.
template <class T>
void expect(const T* next) {
  _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T0);
}

// The row that is normalised, in f32, and its sum.
template <class T>
float begin_row(const DropoutResidualLayerNormForwardArgs& a, std::int64_t r, const Workspace& w) {
  Chains sums;
  const T* x = static_cast<const T*>(a.x) + r * a.cols;
  if (!a.residual) {
    for_vectors(
        a.cols, [&](std::int64_t i, int chain, auto lanes) __attribute__((always_inline)) {
          const __m512 value = load(x + i, lanes);
          store(w.first + i, value, lanes);
          sums.of[chain] = _mm512_add_ps(sums.of[chain], value);
        });
    return sum_of(sums);
  }
  const T* residual = static_cast<const T*>(a.residual) + r * a.cols;
  T* sum = static_cast<T*>(a.sum) + r * a.cols;
  const __m512 scale = _mm512_set1_ps(a.mask.enabled ? static_cast<float>(a.mask.scale) : 1.0f);
  for_vectors(
      a.cols, [&](std::int64_t i, int chain, auto lanes) __attribute__((always_inline)) {
        expect(x + a.cols + i);
        expect(residual + a.cols + i);
        const __m512 both = _mm512_mask3_fmadd_ps(load(x + i, lanes), scale,
                                                  load(residual + i, lanes), kept(w.dropped, i));
        const __m512 value = store_rounded(sum + i, both, lanes);
        store(w.first + i, value, lanes);
        sums.of[chain] = _mm512_add_ps(sums.of[chain], value);
      });
  return sum_of(sums);
}

__m512 add_square(__m512 sum, __m512 x, AllLanes) {
  return _mm512_fmadd_ps(x, x, sum);
}
__m512 add_square(__m512 sum, __m512 x, __mmask16 lanes) {
  return _mm512_mask3_fmadd_ps(x, x, sum, lanes);
}

float squares_around(const float* x, float mean, std::int64_t cols) {
  Chains sums;
  const __m512 center = _mm512_set1_ps(mean);
  for_vectors(
      cols, [&](std::int64_t i, int chain, auto lanes) __attribute__((always_inline)) {
        const __m512 distance = _mm512_sub_ps(load(x + i, lanes), center);
        sums.of[chain] = add_square(sums.of[chain], distance, lanes);
      });
  return sum_of(sums);
}

template <class T>
void normalise(const Workspace& w, float mean, float rstd, T* y, std::int64_t cols) {
  const __m512 center = _mm512_set1_ps(mean), slope = _mm512_set1_ps(rstd);
  for_vectors(
      cols, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const __m512 normalised =
            _mm512_mul_ps(_mm512_sub_ps(load(w.first + i, lanes), center), slope);
        store(y + i,
              _mm512_fmadd_ps(normalised, load(w.weight + i, lanes), load(w.bias + i, lanes)),
              lanes);
      });
}

template <class T>
void forward(const DropoutResidualLayerNormForwardArgs& a, std::int64_t begin, std::int64_t end,
             float* workspace) {
  const Workspace w(workspace, a.cols);
  widen<T>(a.weight, a.cols, w.weight);
  widen<T>(a.bias, a.cols, w.bias);
  if (!a.mask.enabled)
    for (std::int64_t i = 0; i < a.cols; i += 64) w.dropped[i / 64] = 0;
  const auto cols = static_cast<float>(a.cols);
  for (std::int64_t r = begin; r < end; ++r) {
    if (a.mask.enabled) decide(a.mask, r, a.cols, w.dropped);
    const float mean = begin_row<T>(a, r, w) / cols;
    const float rstd = 1 / __builtin_sqrtf(squares_around(w.first, mean, a.cols) / cols + a.eps);
    normalise(w, mean, rstd, static_cast<T*>(a.y) + r * a.cols, a.cols);
    static_cast<float*>(a.mean)[r] = mean;
    static_cast<float*>(a.rstd)[r] = rstd;
  }
}

// Means of dy * weight, and of that times the normalised row.
struct Slopes {
  float mean, slope;
};

// Leaves dy * weight and the normalised row.
template <class T>
Slopes begin_gradient(const DropoutResidualLayerNormBackwardArgs& a, std::int64_t r,
                      const Workspace& w, float* dweight, float* dbias) {
  const T* dy = static_cast<const T*>(a.dy) + r * a.cols;
  const T* sum = static_cast<const T*>(a.sum) + r * a.cols;
  const __m512 center = _mm512_set1_ps(static_cast<const float*>(a.mean)[r]);
  const __m512 rstd = _mm512_set1_ps(static_cast<const float*>(a.rstd)[r]);
  Chains sums, slopes;
  for_vectors(
      a.cols, [&](std::int64_t i, int chain, auto lanes) __attribute__((always_inline)) {
        expect(dy + a.cols + i);
        expect(sum + a.cols + i);
        const __m512 change = load(dy + i, lanes);
        const __m512 normalised = _mm512_mul_ps(_mm512_sub_ps(load(sum + i, lanes), center), rstd);
        const __m512 scaled = _mm512_mul_ps(change, load(w.weight + i, lanes));
        store(w.first + i, scaled, lanes);
        store(w.second + i, normalised, lanes);
        store(dweight + i, _mm512_fmadd_ps(change, normalised, load(dweight + i, lanes)), lanes);
        store(dbias + i, _mm512_add_ps(load(dbias + i, lanes), change), lanes);
        sums.of[chain] = _mm512_add_ps(sums.of[chain], scaled);
        slopes.of[chain] = _mm512_fmadd_ps(scaled, normalised, slopes.of[chain]);
      });
  const auto cols = static_cast<float>(a.cols);
  return {sum_of(sums) / cols, sum_of(slopes) / cols};
}

template <class T>
void backward(const DropoutResidualLayerNormBackwardArgs& a, std::int64_t r, float* workspace,
              float* dweight, float* dbias) {
  const Workspace w(workspace, a.cols);
  const Slopes slopes = begin_gradient<T>(a, r, w, dweight, dbias);
  if (a.mask.enabled && a.dx.data) decide(a.mask, r, a.cols, w.dropped);
  const __m512 mean = _mm512_set1_ps(slopes.mean), slope = _mm512_set1_ps(slopes.slope);
  const __m512 rstd = _mm512_set1_ps(static_cast<const float*>(a.rstd)[r]);
  const __m512 scale = _mm512_set1_ps(a.mask.enabled ? static_cast<float>(a.mask.scale) : 1.0f);
  T* dx = a.dx.data ? static_cast<T*>(a.dx.data) + r * a.cols : nullptr;
  T* dresidual = a.dresidual.data ? static_cast<T*>(a.dresidual.data) + r * a.cols : nullptr;
  for_vectors(
      a.cols, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const __m512 centered = _mm512_sub_ps(load(w.first + i, lanes), mean);
        const __m512 dsum =
            _mm512_mul_ps(rstd, _mm512_fnmadd_ps(load(w.second + i, lanes), slope, centered));
        if (dresidual) put(dresidual + i, a.dresidual.accumulate, dsum, lanes);
        if (dx)
          put(dx + i, a.dx.accumulate, _mm512_maskz_mul_ps(kept(w.dropped, i), dsum, scale), lanes);
      });
}

template <class T>
void begin_backward(const DropoutResidualLayerNormBackwardArgs& a, float* workspace) {
  const Workspace w(workspace, a.cols);
  widen<T>(a.weight, a.cols, w.weight);
  for (std::int64_t i = 0; i < a.cols; i += 64) w.dropped[i / 64] = 0;
}

}  // namespace

extern const LayerNormPasses kLayerNormF32{workspace_bytes, forward<float>, begin_backward<float>,
                                           backward<float>};
extern const LayerNormPasses kLayerNormBf16{workspace_bytes, forward<BFloat16>,
                                            begin_backward<BFloat16>, backward<BFloat16>};

}  // namespace lodestone::kernels::avx512
