// Every function below the pragma is compiled for AVX-512 with bf16, whatever the rest of the
// binary is compiled for: it uses no function or template of a header but intrinsics and those of
// vectors_avx512.h.
#include <immintrin.h>

#include "kernels/cpu/random_words.h"
#include "kernels/cpu/row_passes.h"

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

#include "kernels/cpu/vectors_avx512.h"

namespace lodestone::kernels::avx512 {

namespace {

// 1 / (1 + e^-(x))
__m512 sigmoid(__m512 x) {
  const __m512 log2_of_e = _mm512_set1_ps(-1.44269504f), one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(one, _mm512_add_ps(one, power_of_two(_mm512_mul_ps(x, log2_of_e))));
}

constexpr float kSteepness = 1.702f;

template <class T>
void quick_gelu(const void* x, void* y, std::int64_t begin, std::int64_t end) {
  const T* from = static_cast<const T*>(x) + begin;
  T* to = static_cast<T*>(y) + begin;
  for_vectors(
      end - begin, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const __m512 value = load(from + i, lanes);
        const __m512 gate = sigmoid(_mm512_mul_ps(value, _mm512_set1_ps(kSteepness)));
        store(to + i, _mm512_mul_ps(value, gate), lanes);
      });
}

// gate (1 + z (1 - gate)) with z = 1.702 x and gate = sigmoid(z)
template <class T>
void quick_gelu_gradient(const void* dy, const void* x, const Gradient& dx, std::int64_t begin,
                         std::int64_t end) {
  const T* change = static_cast<const T*>(dy) + begin;
  const T* from = static_cast<const T*>(x) + begin;
  T* to = static_cast<T*>(dx.data) + begin;
  const bool accumulate = dx.accumulate;
  const __m512 one = _mm512_set1_ps(1.0f);
  for_vectors(
      end - begin, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const __m512 inner = _mm512_mul_ps(load(from + i, lanes), _mm512_set1_ps(kSteepness));
        const __m512 gate = sigmoid(inner);
        const __m512 bend = _mm512_fmadd_ps(inner, _mm512_sub_ps(one, gate), one);
        put(to + i, accumulate, _mm512_mul_ps(load(change + i, lanes), _mm512_mul_ps(gate, bend)),
            lanes);
      });
}

// Columns [first, first + count) of row r.
template <class T>
void dropout_piece(const DropoutArgs& a, std::int64_t r, std::int64_t first, std::int64_t count,
                   const std::uint64_t* dropped) {
  const T* from = static_cast<const T*>(a.from) + r * a.cols + first;
  T* to = static_cast<T*>(a.to.data) + r * a.cols + first;
  const bool accumulate = a.to.accumulate;
  const __m512 scale = _mm512_set1_ps(a.mask.enabled ? static_cast<float>(a.mask.scale) : 1.0f);
  for_vectors(
      count, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const auto kept = static_cast<__mmask16>(~(dropped[i / 64] >> (i % 64)));
        put(to + i, accumulate, _mm512_maskz_mul_ps(kept, load(from + i, lanes), scale), lanes);
      });
}

template <class T>
void dropout_rows(const DropoutArgs& a, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kWords = 16, kPiece = 64 * kWords;
  std::uint64_t dropped[kWords] = {};
  WordComparison comparison{{static_cast<std::uint32_t>(a.mask.key.value),
                             static_cast<std::uint32_t>(a.mask.key.value >> 32), 0, 0, 0, 0},
                            a.mask.threshold,
                            nullptr,
                            1,
                            kWords,
                            kWords};
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t first = 0; first < a.cols; first += kPiece) {
      const std::int64_t count = a.cols - first < kPiece ? a.cols - first : kPiece;
      comparison.counter.first_block = static_cast<std::uint32_t>(first / 4);
      comparison.rows = a.mask.row_keys + r;
      comparison.masks = (count + 63) / 64;
      if (a.mask.enabled) words_below_avx512(comparison, dropped);
      dropout_piece<T>(a, r, first, count, dropped);
    }
}

}  // namespace

extern const QuickGeluPasses kQuickGeluF32{quick_gelu<float>, quick_gelu_gradient<float>};
extern const QuickGeluPasses kQuickGeluBf16{quick_gelu<BFloat16>, quick_gelu_gradient<BFloat16>};
extern const DropoutPass kDropoutF32{dropout_rows<float>};
extern const DropoutPass kDropoutBf16{dropout_rows<BFloat16>};

}  // namespace lodestone::kernels::avx512
