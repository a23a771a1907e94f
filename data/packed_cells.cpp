#include "data/packed_cells.h"

#include <algorithm>

#include "engine/core/check.h"

namespace lodestone {

PackedCells pack_cells(const TokenDirectory& cells, const std::vector<std::int64_t>& indices,
                       std::int64_t first_ordinal, std::int64_t epoch, const LoaderConfig& config) {
  PackedCells packed;
  packed.offsets.reserve(indices.size() + 1);
  for (const std::int64_t index : indices)
    packed.offsets.push_back(packed.offsets.back() +
                             std::min(cells.length(index), config.max_length));
  const auto rows = static_cast<std::size_t>(packed.offsets.back());
  check(rows <= INT32_MAX, "make_batch: {} tokens are too many for one batch", rows);
  packed.genes.resize(rows);
  packed.values.resize(rows);
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const CellTokens cell = cells[indices[i]];
    const auto first_row = static_cast<std::size_t>(packed.offsets[i]);
    const auto length = static_cast<std::size_t>(packed.offsets[i + 1]) - first_row;
    positions.clear();
    mask_cell(cell, indices[i], epoch, config.mask_probability, cells.vocabulary_size(),
              config.seed, std::span(packed.genes).subspan(first_row, length),
              std::span(packed.values).subspan(first_row, length), positions);
    for (const std::int32_t position : positions) {
      const auto at = static_cast<std::size_t>(position);
      packed.masked_rows.push_back(static_cast<std::int32_t>(first_row) + position);
      packed.gene_labels.push_back(static_cast<std::int32_t>(cell.tokens[at]));
      packed.value_labels.push_back(cell.values[at]);
    }
    packed.species.push_back(static_cast<std::int32_t>(cell.species));
    packed.ordinals.push_back(first_ordinal + static_cast<std::int64_t>(i));
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
