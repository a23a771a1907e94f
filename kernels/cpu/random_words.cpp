// One block per vector lane; 10 rounds of two multiplications each.
#include "kernels/cpu/random_words.h"

#include "kernels/cpu/cpu_features.h"

namespace lodestone::kernels {

void random_words_portable(const RandomCounter& counter, std::uint32_t* words) {
  std::uint32_t word0[kRandomLanes], word1[kRandomLanes], word2[kRandomLanes], word3[kRandomLanes];
  for (int b = 0; b < kRandomLanes; ++b) {
    word0[b] = counter.row_low;
    word1[b] = counter.row_high;
    word2[b] = counter.first_block + static_cast<std::uint32_t>(b);
    word3[b] = counter.plane;
  }
  std::uint32_t key0 = counter.key0, key1 = counter.key1;
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int b = 0; b < kRandomLanes; ++b) {
      const std::uint64_t first = std::uint64_t{0xD2511F53u} * word0[b];
      const std::uint64_t second = std::uint64_t{0xCD9E8D57u} * word2[b];
      word0[b] = static_cast<std::uint32_t>(second >> 32) ^ word1[b] ^ key0;
      word1[b] = static_cast<std::uint32_t>(second);
      word2[b] = static_cast<std::uint32_t>(first >> 32) ^ word3[b] ^ key1;
      word3[b] = static_cast<std::uint32_t>(first);
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  for (std::size_t b = 0; b < kRandomLanes; ++b) {
    words[4 * b] = word0[b];
    words[4 * b + 1] = word1[b];
    words[4 * b + 2] = word2[b];
    words[4 * b + 3] = word3[b];
  }
}

RandomWords random_words(RandomKey key, std::uint64_t row, std::uint32_t first_block,
                         std::uint32_t plane) {
  static const auto generate = cpu_features().avx512 ? random_words_avx512 : random_words_portable;
  const RandomCounter counter{static_cast<std::uint32_t>(key.value),
                              static_cast<std::uint32_t>(key.value >> 32),
                              static_cast<std::uint32_t>(row),
                              static_cast<std::uint32_t>(row >> 32),
                              first_block,
                              plane};
  RandomWords words;
  generate(counter, words.data());
  return words;
}

void words_below_portable(const WordComparison& c, std::uint64_t* masks) {
  RandomCounter counter = c.counter;
  RandomWords words;
  for (std::int64_t r = 0; r < c.row_count; ++r)
    for (std::int64_t m = 0; m < c.masks; ++m) {
      counter.row_low = static_cast<std::uint32_t>(c.rows[r]);
      counter.row_high = static_cast<std::uint32_t>(c.rows[r] >> 32);
      counter.first_block = c.counter.first_block + static_cast<std::uint32_t>(m * kRandomLanes);
      random_words_portable(counter, words.data());
      std::uint64_t mask = 0;
      for (std::size_t i = 0; i < words.size(); ++i)
        mask |= static_cast<std::uint64_t>(words[i] < c.threshold) << i;
      masks[r * c.mask_stride + m] = mask;
    }
}

void words_below(const WordComparison& comparison, std::uint64_t* masks) {
  static const auto compare = cpu_features().avx512 ? words_below_avx512 : words_below_portable;
  compare(comparison, masks);
}

}  // namespace lodestone::kernels
