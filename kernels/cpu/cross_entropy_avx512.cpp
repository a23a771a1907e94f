// Every function below the pragma is compiled for AVX-512 with bf16, whatever the rest of the
// binary is compiled for: it uses no function or template of a header but intrinsics and those of
// vectors_avx512.h.
#include <immintrin.h>

#include "kernels/cpu/row_passes.h"

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

#include "kernels/cpu/vectors_avx512.h"

namespace lodestone::kernels::avx512 {

namespace {

constexpr float kLog2OfE = 1.44269504f;
constexpr float kLeast = -__builtin_inff();

// Two vectors of a row, in an order of their own: a sum takes any.
struct Two {
  __m512 first, second;
};
Two load_two(const float* from) {
  return {_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16)};
}
// The even elements and the odd ones: half the instructions of those in order.
Two load_two(const BFloat16* from) {
  const __m512i pairs = _mm512_loadu_si512(from);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))};
}

// NaN counts as the least number.
__m512 greater(__m512 a, __m512 b) {
  return _mm512_max_ps(b, a);
}

template <class T>
float maximum_of(const T* x, std::int64_t n) {
  __m512 a = _mm512_set1_ps(kLeast), b = a;
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const Two left = load_two(x + i), right = load_two(x + i + 32);
    a = greater(greater(a, left.first), right.first);
    b = greater(greater(b, left.second), right.second);
  }
  for (; i < n; i += 16) {
    const __mmask16 lanes = first_lanes(n - i);
    a = _mm512_mask_max_ps(a, lanes, load(x + i, lanes), a);
  }
  return _mm512_reduce_max_ps(greater(a, b));
}

// e^(x - maximum)
__m512 exponential(__m512 x, __m512 maximum) {
  return power_of_two(_mm512_mul_ps(_mm512_sub_ps(x, maximum), _mm512_set1_ps(kLog2OfE)));
}

template <class T>
float sum_of_exponentials(const T* x, std::int64_t n, float maximum) {
  const __m512 m = _mm512_set1_ps(maximum);
  Chains sums;
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const Two left = load_two(x + i), right = load_two(x + i + 32);
    sums.of[0] = _mm512_add_ps(sums.of[0], exponential(left.first, m));
    sums.of[1] = _mm512_add_ps(sums.of[1], exponential(left.second, m));
    sums.of[2] = _mm512_add_ps(sums.of[2], exponential(right.first, m));
    sums.of[3] = _mm512_add_ps(sums.of[3], exponential(right.second, m));
  }
  for (; i < n; i += 16) {
    const __mmask16 lanes = first_lanes(n - i);
    sums.of[0] =
        _mm512_mask_add_ps(sums.of[0], lanes, sums.of[0], exponential(load(x + i, lanes), m));
  }
  return sum_of(sums);
}

// By pieces that fit the first-level cache: memory sees each logit once.
template <class T>
SoftmaxSum forward(const void* logits, std::int64_t columns) {
  constexpr std::int64_t kPiece = 4096;
  const T* x = static_cast<const T*>(logits);
  float maximum = kLeast, sum = 0;
  for (std::int64_t first = 0; first < columns; first += kPiece) {
    const std::int64_t count = columns - first < kPiece ? columns - first : kPiece;
    const float highest = maximum_of(x + first, count);
    if (highest > maximum) {
      sum *= __builtin_expf(maximum - highest);
      maximum = highest;
    }
    sum += sum_of_exponentials(x + first, count, maximum);
  }
  return {maximum, sum};
}

template <class T>
void backward(const void* logits, std::int64_t columns, float maximum, float log_sum, float dloss,
              const Gradient& dlogits) {
  const T* x = static_cast<const T*>(logits);
  T* to = static_cast<T*>(dlogits.data);
  const bool accumulate = dlogits.accumulate;
  const __m512 m = _mm512_set1_ps(maximum), l = _mm512_set1_ps(log_sum),
               scale = _mm512_set1_ps(dloss);
  for_vectors(
      columns, [&](std::int64_t i, int, auto lanes) __attribute__((always_inline)) {
        const __m512 probability = exponential(_mm512_sub_ps(load(x + i, lanes), m), l);
        put(to + i, accumulate, _mm512_mul_ps(scale, probability), lanes);
      });
}

}  // namespace

extern const CrossEntropyPasses kCrossEntropyF32{forward<float>, backward<float>};
extern const CrossEntropyPasses kCrossEntropyBf16{forward<BFloat16>, backward<BFloat16>};

}  // namespace lodestone::kernels::avx512
