#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/random_words.h"
#include "kernels/dropout.h"

namespace lodestone::kernels {

inline constexpr std::int64_t kFactorsAtOnce = std::int64_t{4} * kRandomLanes;

// Calls use(c, factor of element (row, c)) for every column: 0 where dropped, else the scale.
template <class C, class Use>
void with_dropout_factors(const DropoutMask& mask, std::int64_t row, std::int64_t cols, Use&& use) {
  if (!mask.enabled) {
#pragma omp simd
    for (std::int64_t c = 0; c < cols; ++c) use(c, C{1});
    return;
  }
  const C scale = static_cast<C>(mask.scale);
  const auto row_key = static_cast<std::uint64_t>(mask.row_keys[row]);
  for (std::int64_t first = 0; first < cols; first += kFactorsAtOnce) {
    const RandomWords words =
        random_words(mask.key, row_key, static_cast<std::uint32_t>(first / 4), 0);
    const std::int64_t count = std::min(kFactorsAtOnce, cols - first);
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i)
      use(first + i, words[static_cast<std::size_t>(i)] < mask.threshold ? C{0} : scale);
  }
}

}  // namespace lodestone::kernels
