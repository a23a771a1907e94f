#pragma once
// Vectors of 16 f32 from and to memory in f32 or bf16, for files that are compiled for AVX-512:
// they include this after their pragma. Everything here has internal linkage, since the linker
// might keep a copy made for AVX-512 for a file that must run without. bf16 conversions are the
// processor's: they round to even and take subnormal numbers for zero.
#include <immintrin.h>

#include <cstdint>

#include "engine/core/bfloat16.h"

namespace lodestone::kernels::avx512 {

// Which of 16 lanes count: all of them, or those of a mask.
struct AllLanes {};

static inline __m512 load(const float* from, AllLanes) {
  return _mm512_loadu_ps(from);
}
static inline __m512 load(const float* from, __mmask16 lanes) {
  return _mm512_maskz_loadu_ps(lanes, from);
}
static inline __m512 widened(__m256i bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}
static inline __m512 load(const BFloat16* from, AllLanes) {
  return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
static inline __m512 load(const BFloat16* from, __mmask16 lanes) {
  return widened(_mm256_maskz_loadu_epi16(lanes, from));
}

static inline void store(float* to, __m512 value, AllLanes) {
  _mm512_storeu_ps(to, value);
}
static inline void store(float* to, __m512 value, __mmask16 lanes) {
  _mm512_mask_storeu_ps(to, lanes, value);
}
static inline __m256i narrowed(__m512 value) {
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value));
}
static inline void store(BFloat16* to, __m512 value, AllLanes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrowed(value));
}
static inline void store(BFloat16* to, __m512 value, __mmask16 lanes) {
  _mm256_mask_storeu_epi16(to, lanes, narrowed(value));
}

// Stores a value and returns what was stored.
template <class Lanes>
static inline __m512 store_rounded(float* to, __m512 value, Lanes lanes) {
  store(to, value, lanes);
  return value;
}
template <class Lanes>
static inline __m512 store_rounded(BFloat16* to, __m512 value, Lanes lanes) {
  store(to, value, lanes);
  return widened(narrowed(value));
}

// Adds to what is there, or sets it without heed of that.
template <class T, class Lanes>
static inline void put(T* to, bool accumulate, __m512 value, Lanes lanes) {
  if (accumulate) value = _mm512_add_ps(load(to, lanes), value);
  store(to, value, lanes);
}

// The first n of 16 lanes; n >= 1, and more than 16 are all.
static inline __mmask16 first_lanes(std::int64_t n) {
  return static_cast<__mmask16>(n < 16 ? (1u << n) - 1 : 0xffffu);
}

// 2^x; zero for x below -150, infinite above 128, 1 for 0, relative error below 1.5e-7 from -126
// on. 2^(x - floor(x)) is a polynomial, fitted for the least largest relative error.
static inline __m512 power_of_two(__m512 x) {
  const __m512 fraction = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 p = _mm512_set1_ps(1.867130213e-3f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(9.017030019e-3f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(5.579991332e-2f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.401644501e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.931513118e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, x);
}

// Sums are taken in this many vectors, so that additions need not wait for each other.
inline constexpr int kChains = 4;

// f(i, chain, lanes) for the elements [i, i + 16) of [0, n); `lanes` tells those below n. f must be
// inlined: `chain` then is a constant.
template <class F>
__attribute__((always_inline)) static inline void for_vectors(std::int64_t n, const F& f) {
  constexpr std::int64_t kLanes = 16;
  std::int64_t i = 0;
  for (; i + kLanes * kChains <= n; i += kLanes * kChains) {
#pragma GCC unroll 4
    for (int chain = 0; chain < kChains; ++chain) f(i + kLanes * chain, chain, AllLanes{});
  }
  for (; i + kLanes <= n; i += kLanes) f(i, 0, AllLanes{});
  if (i < n) f(i, 0, first_lanes(n - i));
}

// Zeros without an intrinsic: GCC compiles a struct's implicit constructor without the pragma.
struct Chains {
  __m512 of[kChains] = {};
};
static inline float sum_of(const Chains& chains) {
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(chains.of[0], chains.of[1]),
                                            _mm512_add_ps(chains.of[2], chains.of[3])));
}

}  // namespace lodestone::kernels::avx512
