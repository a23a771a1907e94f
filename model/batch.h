#pragma once
#include <cstdint>

#include "engine/tensor.h"

namespace lodestone {

enum class Species : std::uint8_t { kHuman = 0, kMouse = 1 };

// N gene tokens of B cells, packed without padding; M of them chosen for the loss. All on one
// device. The CLS rows that the model puts before each cell are not counted here.
struct Batch {
  Tensor genes;         // i32 [N] token ids as the model sees them (masks applied)
  Tensor values;        // f32 [N] expression values as the model sees them
  Tensor offsets;       // i64 [B + 1]: cell b is rows offsets[b] .. offsets[b + 1]; offsets[B] = N
  Tensor species;       // i32 [B], a Species each
  Tensor ordinals;      // i64 [B]: the cell's place in the global batch; indexes its random numbers
  Tensor masked_rows;   // i32 [M]: chosen rows, ascending; empty when nothing was chosen
  Tensor gene_labels;   // i32 [M]: the tokens that were there
  Tensor value_labels;  // f32 [M]: the values that were there

  std::int64_t tokens() const { return genes.numel(); }
  std::int64_t cells() const { return species.numel(); }
  std::int64_t chosen() const { return masked_rows.defined() ? masked_rows.numel() : 0; }
};

inline constexpr std::int32_t kPadToken = 0;
inline constexpr std::int32_t kMaskToken = 1;
inline constexpr std::int32_t kSpecialTokens = 2;  // the first id of a gene

}  // namespace lodestone
