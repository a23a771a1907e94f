#pragma once
// What the CUDA attentions share: which block has which work, where its rows lie, and which
// probabilities dropout takes.
#include <cstdint>

#include "engine/core/philox.h"
#include "kernels/attention.h"
#include "kernels/cuda/device.cuh"

namespace lodestone::kernels {

constexpr std::int64_t tiles_of(std::int64_t rows, std::int64_t tile) {
  return (rows + tile - 1) / tile;
}

// One head of one cell, and where in the cell a block's tile of queries or keys begins.
struct AttentionItem {
  std::int64_t first_query, first_key;  // rows
  int queries, keys;                    // how many
  int head;
  int index;  // counts the items: the cells by length, the heads of each
  int first;
};

// The work of this block of tiles_of(longest, tile) for every item. Blocks count the tiles of an
// item first, so that those which read the same rows run together; tiles that this cell does not
// have are left to blocks that find nothing to do. The longest cells come first.
__device__ inline AttentionItem item_of_block(const AttentionLayout& layout, std::int64_t longest,
                                              int tile) {
  const int block = static_cast<int>(blockIdx.x), heads = static_cast<int>(layout.heads);
  const int tiles = static_cast<int>(tiles_of(longest, tile)), index = block / tiles;
  const std::int64_t cell = layout.cells_by_length[index / heads];
  const std::int64_t first_query = layout.query_offsets[cell], first_key = layout.offsets[cell];
  return {first_query,
          first_key,
          static_cast<int>(layout.query_offsets[cell + 1] - first_query),
          static_cast<int>(layout.offsets[cell + 1] - first_key),
          index % heads,
          index,
          block % tiles * tile};
}

// Rows of one head, `stride` elements apart.
template <class T>
struct HeadRows {
  T* data;
  std::int64_t stride;
  __device__ T* row(int i) const { return data + i * stride; }
  __device__ HeadRows from(int i) const { return {row(i), stride}; }
};

// The item's rows of a tensor, from row `first` on.
template <class T, class Pointer>
__device__ HeadRows<T> rows_of(RowsOfHeads<Pointer> tensor, std::int64_t first,
                               const AttentionItem& item, const AttentionLayout& layout) {
  return {static_cast<T*>(tensor.data) + first * tensor.stride + item.head * layout.head_size,
          tensor.stride};
}

// The item's rows of a tensor [M, heads, head_size], from the cell's first query on.
template <class T, class Pointer>
__device__ HeadRows<T> query_rows_of(Pointer tensor, const AttentionItem& item,
                                     const AttentionLayout& layout) {
  return rows_of<T>(RowsOfHeads<Pointer>{tensor, layout.heads * layout.head_size}, item.first_query,
                    item, layout);
}

// What the backward passes need of a query: a probability is exp2(score log2(e) - log2_sum), its
// gradient is less by dy_y, the sum of dy * y over the head. A query that does not exist has
// infinity and 0: its probabilities are zero.
struct QueryTerms {
  float log2_sum, dy_y;
};
constexpr int kQueryTermsTile = 128;  // an item has terms of whole tiles of queries
constexpr std::int64_t query_terms_of_item(const AttentionLayout& layout) {
  return tiles_of(layout.longest_queries, kQueryTermsTile) * kQueryTermsTile;
}

// Bit w is set iff word w of a row's block of four keys takes its key's probability.
__device__ inline std::uint32_t dropped_keys(const AttentionDropout& dropout, std::int64_t row_key,
                                             int block, int head) {
  const PhiloxBlock words =
      dropout.key.at(static_cast<std::uint64_t>(row_key), static_cast<std::uint32_t>(block),
                     static_cast<std::uint32_t>(head));
  std::uint32_t bits = 0;
#pragma unroll
  for (unsigned w = 0; w < 4; ++w) bits |= (words[w] < dropout.threshold ? 1u : 0u) << w;
  return bits;
}

}  // namespace lodestone::kernels
