// Every function below the pragma is compiled for AVX-512, whatever the rest of the binary is
// compiled for: it uses no function or template of a header but intrinsics.
#include <immintrin.h>

#include "kernels/cpu/random_words.h"

#pragma GCC target("avx512f")

namespace lodestone::kernels {

namespace {

// Words of eight blocks, one in the lower half of each element; the upper halves are not read.
struct EightBlocks {
  __m512i word[4];
};

__m512i exclusive_or(__m512i a, __m512i b, __m512i c) {
  constexpr int kOddParity = 0x96;
  return _mm512_ternarylogic_epi64(a, b, c, kOddParity);
}

void mix(EightBlocks& x, __m512i key0, __m512i key1) {
  const __m512i first = _mm512_mul_epu32(_mm512_set1_epi64(0xD2511F53), x.word[0]);
  const __m512i second = _mm512_mul_epu32(_mm512_set1_epi64(0xCD9E8D57), x.word[2]);
  x.word[0] = exclusive_or(_mm512_srli_epi64(second, 32), x.word[1], key0);
  x.word[1] = second;
  x.word[2] = exclusive_or(_mm512_srli_epi64(first, 32), x.word[3], key1);
  x.word[3] = first;
}

__m512i interleaved(__m512i lower, __m512i upper) {
  constexpr __mmask16 kUpperHalves = 0xAAAA;
  return _mm512_mask_mov_epi32(lower, kUpperHalves, _mm512_slli_epi64(upper, 32));
}

// words[4 * b + w] = word w of block b.
void write(const EightBlocks& x, std::uint32_t* words) {
  const __m512i low = interleaved(x.word[0], x.word[1]);
  const __m512i high = interleaved(x.word[2], x.word[3]);
  const __m512i first_four = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i last_four = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  _mm512_storeu_si512(words, _mm512_permutex2var_epi64(low, first_four, high));
  _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(low, last_four, high));
}

}  // namespace

void random_words_avx512(const RandomCounter& counter, std::uint32_t* words) {
  const __m512i numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  const __m512i block = _mm512_set1_epi64(counter.first_block);
  const EightBlocks row{_mm512_set1_epi64(counter.row_low), _mm512_set1_epi64(counter.row_high),
                        _mm512_add_epi32(block, numbers), _mm512_set1_epi64(counter.plane)};
  EightBlocks even = row, odd = row;
  odd.word[2] = _mm512_add_epi32(even.word[2], _mm512_set1_epi64(8));
  __m512i key0 = _mm512_set1_epi64(counter.key0), key1 = _mm512_set1_epi64(counter.key1);
  for (int round = 0; round < 10; ++round) {
    mix(even, key0, key1);
    mix(odd, key0, key1);
    key0 = _mm512_add_epi32(key0, _mm512_set1_epi64(0x9E3779B9));
    key1 = _mm512_add_epi32(key1, _mm512_set1_epi64(0xBB67AE85));
  }
  write(even, words);
  write(odd, words + 32);
}

}  // namespace lodestone::kernels
