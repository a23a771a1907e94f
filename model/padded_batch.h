#pragma once
// Padded arrays, as published code and the `infer` command hold cells, to packed batches and back.
#include <cstdint>
#include <vector>

#include "model/batch.h"

namespace lodestone {

// B cells of at most L genes, row-major [B, L], right-padded.
struct PaddedCells {
  std::int64_t cells = 0, length = 0;        // B, L
  std::vector<std::int64_t> input_ids;       // [B, L]; 0 at pads
  std::vector<float> values;                 // [B, L]
  std::vector<std::int64_t> attention_mask;  // [B, L]: 1 for real genes, which come first
  std::vector<std::int64_t> species;         // [B]: 0 human, 1 mouse
  std::vector<std::int64_t> labels;          // [B, L] or empty; -100 = not chosen
  std::vector<float> label_values;           // [B, L] or empty, like labels
};

// The real genes, packed; positions with a label are the chosen rows, ordinals count from
// `first_ordinal`. Throws kBadInput when an array has the wrong size, the mask is not a run of ones
// followed by zeros, an id or label is not in [0, vocabulary), a value is not finite, or a label
// stands on a pad.
Batch pack(const PaddedCells& padded, std::int64_t vocabulary, std::int64_t first_ordinal = 0);

// Rows of real states [R, C] (f32; cell b at offsets[b] .. offsets[b + 1]) as [B, length, C], zero
// elsewhere. `length` must be at least the longest cell.
Tensor unpack(const Tensor& rows, const Tensor& offsets, std::int64_t length);

}  // namespace lodestone
