#include <immintrin.h>

#include <iterator>

#include "bench/peaks.h"
#include "kernels/cpu/cpu_features.h"

namespace lodestone::bench {

namespace {

__attribute__((target("avx512f,avx512bf16"))) double dot_pairs_avx512(std::int64_t rounds) {
  __m512 sums[12] = {};
  for (__m512& sum : sums) asm volatile("" : "+v"(sum));  // may differ, for all it is known
  __m512i ones = _mm512_set1_epi16(0x3f80);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (__m512& sum : sums)
      sum =
          _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(ones), reinterpret_cast<__m512bh>(ones));
    asm volatile("" : "+v"(ones));  // rounds cannot be folded
  }
  for (__m512 sum : sums) asm volatile("" : "+v"(sum));  // nor left out
  constexpr double kFlopsOfOne = 2 * 32;
  return static_cast<double>(rounds) * static_cast<double>(std::size(sums)) * kFlopsOfOne;
}

}  // namespace

double dot_bf16_pairs(std::int64_t rounds) {
  return kernels::cpu_features().avx512_bf16 ? dot_pairs_avx512(rounds) : 0;
}

}  // namespace lodestone::bench
