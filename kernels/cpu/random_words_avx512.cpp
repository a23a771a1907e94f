// Every function below the pragma is compiled for AVX-512, whatever the rest of the binary is
// compiled for: it uses no function or template of a header but intrinsics.
#include <immintrin.h>

#include "kernels/cpu/random_words.h"

// NOLINTNEXTLINE(clang-diagnostic-unknown-pragmas): clang has no such pragma.
#pragma GCC target("avx512f,bmi2")

namespace lodestone::kernels {

namespace {

constexpr int kRounds = 10;
constexpr std::uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier2 = 0xCD9E8D57u;

// Keys of the rounds, in all lanes.
struct Keys {
  Keys(std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < kRounds; ++round) {
      first[round] = _mm512_set1_epi64(key0);
      second[round] = _mm512_set1_epi64(key1);
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
  }
  __m512i first[kRounds], second[kRounds];
};

// Words of eight blocks, one in the lower half of each element; the upper halves are not read: a
// multiplication leaves both halves of its product where the next round wants them.
struct EightBlocks {
  __m512i word[4];
};

__m512i exclusive_or(__m512i a, __m512i b, __m512i c) {
  constexpr int kOddParity = 0x96;
  return _mm512_ternarylogic_epi64(a, b, c, kOddParity);
}

__attribute__((always_inline)) inline void mix(EightBlocks& x, __m512i key0, __m512i key1) {
  const __m512i first = _mm512_mul_epu32(_mm512_set1_epi64(kMultiplier0), x.word[0]);
  const __m512i second = _mm512_mul_epu32(_mm512_set1_epi64(kMultiplier2), x.word[2]);
  x.word[0] = exclusive_or(_mm512_srli_epi64(second, 32), x.word[1], key0);
  x.word[1] = second;
  x.word[2] = exclusive_or(_mm512_srli_epi64(first, 32), x.word[3], key1);
  x.word[3] = first;
}

// What the first two rounds leave of a row and a plane, the same for all of its blocks.
struct RowWords {
  __m512i first0;          // of round 1: what word 0 is combined with
  __m512i second0, third;  // of round 2: the same of word 0 and of word 2
  __m512i word1;
};
RowWords row_words(const RandomCounter& c) {
  const std::uint32_t key0 = c.key0 + 0x9E3779B9u, key1 = c.key1 + 0xBB67AE85u;
  const std::uint64_t first = std::uint64_t{kMultiplier0} * c.row_low;
  const std::uint64_t word2 = (first >> 32) ^ c.plane ^ c.key1;
  const std::uint64_t second = kMultiplier2 * word2;
  return {_mm512_set1_epi64(c.row_high ^ c.key0),
          _mm512_set1_epi64(static_cast<std::int64_t>((second >> 32) ^ key0)),
          _mm512_set1_epi64(static_cast<std::int64_t>((first & 0xffffffffu) ^ key1)),
          _mm512_set1_epi64(static_cast<std::int64_t>(second))};
}

// The first two rounds.
__attribute__((always_inline)) inline EightBlocks begin(const RowWords& row, __m512i blocks) {
  const __m512i second = _mm512_mul_epu32(_mm512_set1_epi64(kMultiplier2), blocks);
  const __m512i word0 = _mm512_xor_si512(_mm512_srli_epi64(second, 32), row.first0);
  const __m512i first = _mm512_mul_epu32(_mm512_set1_epi64(kMultiplier0), word0);
  return {{_mm512_xor_si512(second, row.second0), row.word1,
           _mm512_xor_si512(_mm512_srli_epi64(first, 32), row.third), first}};
}

// Blocks from first_block on, eight after eight.
template <int kEights>
__attribute__((always_inline)) inline void generate(const RowWords& row, std::uint32_t first_block,
                                                    const Keys& keys, EightBlocks* x) {
  const __m512i numbers =
      _mm512_add_epi32(_mm512_set1_epi64(first_block), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
#pragma GCC unroll 4
  for (std::int64_t e = 0; e < kEights; ++e)
    x[e] = begin(row, _mm512_add_epi32(numbers, _mm512_set1_epi64(8 * e)));
#pragma GCC unroll 8
  for (int round = 2; round < kRounds; ++round) {
#pragma GCC unroll 4
    for (int e = 0; e < kEights; ++e) mix(x[e], keys.first[round], keys.second[round]);
  }
}

__m512i interleaved(__m512i lower, __m512i upper) {
  constexpr __mmask16 kUpperHalves = 0xAAAA;
  return _mm512_mask_shuffle_epi32(lower, kUpperHalves, upper, _MM_PERM_CCAA);
}

// Bit 4 b + w: whether word w of block b is below the threshold.
std::uint64_t below(const EightBlocks& x, __m512i threshold) {
  const std::uint32_t low = _mm512_cmplt_epu32_mask(interleaved(x.word[0], x.word[1]), threshold);
  const std::uint32_t high = _mm512_cmplt_epu32_mask(interleaved(x.word[2], x.word[3]), threshold);
  return _pdep_u64(low, 0x33333333u) | _pdep_u64(high, 0xccccccccu);
}

// Masks m and, if kMasks is 2, m + 1.
template <int kMasks>
__attribute__((always_inline)) inline void compare(const RowWords& row, std::uint32_t first_block,
                                                   const Keys& keys, __m512i threshold,
                                                   std::uint64_t* masks) {
  EightBlocks x[2 * kMasks];
  generate<2 * kMasks>(row, first_block, keys, x);
#pragma GCC unroll 2
  for (int m = 0; m < kMasks; ++m)
    masks[m] = below(x[2 * m], threshold) | below(x[2 * m + 1], threshold) << 32;
}

}  // namespace

void random_words_avx512(const RandomCounter& counter, std::uint32_t* words) {
  EightBlocks x[2];
  generate<2>(row_words(counter), counter.first_block, Keys(counter.key0, counter.key1), x);
  const __m512i first_four = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i last_four = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  for (int e = 0; e < 2; ++e, words += 32) {
    const __m512i low = interleaved(x[e].word[0], x[e].word[1]);
    const __m512i high = interleaved(x[e].word[2], x[e].word[3]);
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(low, first_four, high));
    _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(low, last_four, high));
  }
}

void words_below_avx512(const WordComparison& c, std::uint64_t* masks) {
  const __m512i threshold = _mm512_set1_epi32(static_cast<int>(c.threshold));
  const Keys keys(c.counter.key0, c.counter.key1);
  RandomCounter counter = c.counter;
  for (std::int64_t r = 0; r < c.row_count; ++r, masks += c.mask_stride) {
    counter.row_low = static_cast<std::uint32_t>(c.rows[r]);
    counter.row_high = static_cast<std::uint32_t>(c.rows[r] >> 32);
    const RowWords row = row_words(counter);
    std::uint32_t block = c.counter.first_block;
    std::int64_t m = 0;
    for (; m + 2 <= c.masks; m += 2, block += 32)
      compare<2>(row, block, keys, threshold, masks + m);
    if (m < c.masks) compare<1>(row, block, keys, threshold, masks + m);
  }
}

}  // namespace lodestone::kernels
