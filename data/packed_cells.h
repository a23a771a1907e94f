#pragma once
// A Batch in plain memory. The loader's thread makes these; they become tensors on the thread that
// asks for the batch, so that allocators are called by one thread.
#include <cstdint>
#include <vector>

#include "data/loader.h"

namespace lodestone {

// Fields as in Batch.
struct PackedCells {
  std::vector<std::int32_t> genes;
  std::vector<float> values;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> species;
  std::vector<std::int64_t> ordinals;
  std::vector<std::int32_t> masked_rows;
  std::vector<std::int32_t> gene_labels;
  std::vector<float> value_labels;
};

// As make_batch() of data/loader.h, which is to_batch() of this.
PackedCells pack_cells(const TokenDirectory& cells, const std::vector<std::int64_t>& indices,
                       std::int64_t first_ordinal, std::int64_t epoch, const LoaderConfig& config);
Batch to_batch(const PackedCells& packed);

}  // namespace lodestone
