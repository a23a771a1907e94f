#include "data/packed_cells.h"

#include <algorithm>

#include "engine/core/check.h"

namespace lodestone {

PackedCells pack_cells(const TokenDirectory& cells, const std::vector<std::int64_t>& indices,
                       std::int64_t first_ordinal, std::int64_t epoch, const LoaderConfig& config) {
  PackedCells packed;
  for (const std::int64_t index : indices) {
    const CellTokens cell = cells[index];
    const auto length = std::min(static_cast<std::int64_t>(cell.tokens.size()), config.max_length);
    const MaskedCell shown = mask_cell(cell, length, index, epoch, config.mask_probability,
                                       cells.vocabulary_size(), config.seed);
    const std::int64_t first_row = packed.offsets.back();
    check(first_row + length <= INT32_MAX, "make_batch: {} tokens are too many for one batch",
          first_row + length);
    for (const std::int32_t position : shown.positions) {
      const auto at = static_cast<std::size_t>(position);
      packed.masked_rows.push_back(static_cast<std::int32_t>(first_row) + position);
      packed.gene_labels.push_back(static_cast<std::int32_t>(cell.tokens[at]));
      packed.value_labels.push_back(cell.values[at]);
    }
    packed.genes.insert(packed.genes.end(), shown.genes.begin(), shown.genes.end());
    packed.values.insert(packed.values.end(), shown.values.begin(), shown.values.end());
    packed.species.push_back(static_cast<std::int32_t>(cell.species));
    packed.ordinals.push_back(first_ordinal + static_cast<std::int64_t>(packed.ordinals.size()));
    packed.offsets.push_back(first_row + length);
  }
  return packed;
}

Batch to_batch(const PackedCells& packed) {
  return {Tensor::from(packed.genes),       Tensor::from(packed.values),
          Tensor::from(packed.offsets),     Tensor::from(packed.species),
          Tensor::from(packed.ordinals),    Tensor::from(packed.masked_rows),
          Tensor::from(packed.gene_labels), Tensor::from(packed.value_labels)};
}

Batch make_batch(const TokenDirectory& cells, const std::vector<std::int64_t>& indices,
                 std::int64_t first_ordinal, std::int64_t epoch, const LoaderConfig& config) {
  return to_batch(pack_cells(cells, indices, first_ordinal, epoch, config));
}

}  // namespace lodestone
