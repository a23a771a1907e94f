#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>

#include "kernels/cpu/random_words.h"
#include "kernels/dropout.h"

namespace lodestone::kernels {

inline constexpr std::int64_t kWordsAtOnce = std::tuple_size_v<RandomWords>;
inline constexpr std::int64_t kFactorsAtOnce = 4 * kWordsAtOnce;

// Calls use(first, last, factors) for pieces of a row's columns, in order: factors[c - first] is
// what column c of the row is multiplied by, 0 where dropped, else the scale.
template <class C, class Use>
void with_dropout_factors(const DropoutMask& mask, std::int64_t row, std::int64_t cols, Use&& use) {
  alignas(64) std::array<C, kFactorsAtOnce> factors;
  if (!mask.enabled) factors.fill(1);
  const C scale = static_cast<C>(mask.scale);
  for (std::int64_t first = 0; first < cols; first += kFactorsAtOnce) {
    const std::int64_t last = std::min(cols, first + kFactorsAtOnce);
    for (std::int64_t begin = first; mask.enabled && begin < last; begin += kWordsAtOnce) {
      alignas(64) const RandomWords words =
          random_words(mask.key, static_cast<std::uint64_t>(mask.row_keys[row]),
                       static_cast<std::uint32_t>(begin / 4), 0);
#pragma omp simd
      for (std::size_t i = 0; i < words.size(); ++i)
        factors[static_cast<std::size_t>(begin - first) + i] =
            words[i] < mask.threshold ? C{0} : scale;
    }
    use(first, last, factors.data());
  }
}

}  // namespace lodestone::kernels
