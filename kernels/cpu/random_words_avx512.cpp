// Every function below the pragma is compiled for AVX-512, whatever the rest of the binary is
// compiled for: it uses no function or template of a header but intrinsics.
#include <immintrin.h>

#include "kernels/cpu/random_words.h"

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f")

namespace lodestone::kernels {

namespace {

// Words of eight blocks, one in the lower half of each element; the upper halves are not read: a
// multiplication leaves both halves of its product where the next round wants them.
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
  return _mm512_mask_shuffle_epi32(lower, kUpperHalves, upper, _MM_PERM_CCAA);
}

// 16 blocks: word w of block b is element 4 * b + w of the four vectors one after another.
struct SixteenBlocks {
  __m512i words[4];
};

void put_in_order(const EightBlocks& x, __m512i* words) {
  const __m512i low = interleaved(x.word[0], x.word[1]);
  const __m512i high = interleaved(x.word[2], x.word[3]);
  const __m512i first_four = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i last_four = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  words[0] = _mm512_permutex2var_epi64(low, first_four, high);
  words[1] = _mm512_permutex2var_epi64(low, last_four, high);
}

__attribute__((always_inline)) inline SixteenBlocks sixteen_blocks(const RandomCounter& counter) {
  const __m512i numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  const __m512i block = _mm512_set1_epi64(counter.first_block);
  const EightBlocks row{_mm512_set1_epi64(counter.row_low), _mm512_set1_epi64(counter.row_high),
                        _mm512_add_epi32(block, numbers), _mm512_set1_epi64(counter.plane)};
  EightBlocks even = row, odd = row;
  odd.word[2] = _mm512_add_epi32(even.word[2], _mm512_set1_epi64(8));
  std::uint32_t key0 = counter.key0, key1 = counter.key1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const __m512i keys0 = _mm512_set1_epi64(key0), keys1 = _mm512_set1_epi64(key1);
    mix(even, keys0, keys1);
    mix(odd, keys0, keys1);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  SixteenBlocks blocks;
  put_in_order(even, blocks.words);
  put_in_order(odd, blocks.words + 2);
  return blocks;
}

}  // namespace

void random_words_avx512(const RandomCounter& counter, std::uint32_t* words) {
  const SixteenBlocks blocks = sixteen_blocks(counter);
  for (std::int64_t v = 0; v < 4; ++v) _mm512_storeu_si512(words + 16 * v, blocks.words[v]);
}

void words_below_avx512(const WordComparison& c, std::uint64_t* masks) {
  const __m512i threshold = _mm512_set1_epi32(static_cast<int>(c.threshold));
  RandomCounter counter = c.counter;
  for (std::int64_t r = 0; r < c.row_count; ++r) {
    counter.row_low = static_cast<std::uint32_t>(c.rows[r]);
    counter.row_high = static_cast<std::uint32_t>(c.rows[r] >> 32);
    counter.first_block = c.counter.first_block;
    for (std::int64_t m = 0; m < c.masks; ++m, counter.first_block += 16) {
      const SixteenBlocks blocks = sixteen_blocks(counter);
      std::uint64_t mask = 0;
      for (int v = 0; v < 4; ++v)
        mask |= static_cast<std::uint64_t>(_mm512_cmplt_epu32_mask(blocks.words[v], threshold))
                << (16 * v);
      masks[r * c.mask_stride + m] = mask;
    }
  }
}

}  // namespace lodestone::kernels
