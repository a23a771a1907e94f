#include <algorithm>

#include "data/loader.h"
#include "engine/core/philox.h"

namespace lodestone {

namespace {

// Which random op of an epoch masking is; the order of cells is another (data/loader.cpp).
constexpr std::uint32_t kMaskingOp = 1;

// The chosen positions that show kMaskToken, and those that show it or a random id.
constexpr double kShownAsMask = 0.8;
constexpr double kShownAsMaskOrRandom = 0.9;
constexpr float kHiddenValue = -1.0f;

// One of [0, bound) by multiplication; uniform to within bound / 2^32.
std::int32_t below(std::uint32_t word, std::int64_t bound) {
  return static_cast<std::int32_t>((std::uint64_t{word} * static_cast<std::uint64_t>(bound)) >> 32);
}

}  // namespace

void mask_cell(const CellTokens& cell, std::int64_t cell_index, std::int64_t epoch,
               double probability, std::int64_t vocabulary_size, std::uint64_t seed,
               std::span<std::int32_t> genes, std::span<float> values,
               std::vector<std::int32_t>& positions) {
  std::copy_n(cell.tokens.begin(), genes.size(), genes.begin());
  std::copy_n(cell.values.begin(), values.size(), values.begin());
  if (probability <= 0) return;
  const auto key = RandomKey::derive(seed, static_cast<std::uint64_t>(epoch), kMaskingOp);
  for (std::size_t i = 0; i < genes.size(); ++i) {
    // Four independent words: chosen?, shown as what?, which id.
    const PhiloxBlock words =
        key.at(static_cast<std::uint64_t>(cell_index), static_cast<std::uint32_t>(i));
    if (uniform(words[0]) >= probability) continue;
    positions.push_back(static_cast<std::int32_t>(i));
    const double kind = uniform(words[1]);
    if (kind >= kShownAsMaskOrRandom) continue;
    genes[i] = kind < kShownAsMask ? kMaskToken : below(words[2], vocabulary_size);
    values[i] = kHiddenValue;
  }
}

MaskedCell mask_cell(const CellTokens& cell, std::int64_t length, std::int64_t cell_index,
                     std::int64_t epoch, double probability, std::int64_t vocabulary_size,
                     std::uint64_t seed) {
  MaskedCell shown;
  shown.genes.resize(static_cast<std::size_t>(length));
  shown.values.resize(static_cast<std::size_t>(length));
  mask_cell(cell, cell_index, epoch, probability, vocabulary_size, seed, shown.genes, shown.values,
            shown.positions);
  return shown;
}

}  // namespace lodestone
