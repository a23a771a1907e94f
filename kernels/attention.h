#pragma once
// Multi-head attention within each cell: y = dropout(softmax(q k^T / sqrt(head_size))) v for the
// rows of one cell and one head at a time. Shapes: N packed rows of keys and values, M packed rows
// of queries (all N, or some rows of each cell); `wide` is accumulation_type.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/philox.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

// Which rows belong together, and what both passes know of the call. A cell with queries has keys.
struct AttentionLayout {
  const std::int64_t* query_offsets;    // [cells + 1]: where each cell's queries begin
  const std::int64_t* offsets;          // [cells + 1]: where each cell's keys and values begin
  const std::int32_t* cells_by_length;  // [cells]: every cell once, the longest first
  std::int64_t cells, longest;          // longest: keys of the longest cell
  std::int64_t longest_queries = 0;     // of the cell with the most; the CPU does not read it
  std::int64_t heads, head_size;
  int workers;  // slots in the workspace
  DType dtype;
};

// Drops the probability of key position k for a query iff word k % 4 of
// key.at(row_keys[query row], k / 4, head) is below `threshold`; the rest is multiplied by `scale`.
struct AttentionDropout {
  bool enabled;
  const std::int64_t* row_keys;  // [M]; not read unless enabled
  RandomKey key;
  std::uint32_t threshold;
  double scale;
};

// [rows, heads, head_size], rows `stride` elements apart: a tensor of its own or a part of one.
template <class Pointer>
struct RowsOfHeads {
  Pointer data;
  std::int64_t stride;
};

struct AttentionForwardArgs {
  RowsOfHeads<const void*> queries;       // M rows
  RowsOfHeads<const void*> keys, values;  // N rows
  void* y;                                // [M, heads, head_size]
  void* log_sums;                         // wide [M, heads]: log of the sum over keys of exp(score)
  void* workspace;                        // attention_forward_workspace bytes
  AttentionLayout layout;
  AttentionDropout dropout;
};
std::int64_t attention_forward_workspace(const AttentionLayout& layout, CpuStream& stream);
void run(const AttentionForwardArgs& args, CpuStream& stream);
// On CUDA: f32 with heads of up to 128, and bf16 with heads of 32, 64 or 128 whose rows are aligned
// to 16 bytes; anything else is refused (kInvalidArgument). Results do not depend on `workers`.
std::int64_t attention_forward_workspace(const AttentionLayout& layout, CudaStream& stream);
void run(const AttentionForwardArgs& args, CudaStream& stream);

struct AttentionBackwardArgs {
  const void* dy;                         // [M, heads, head_size]
  RowsOfHeads<const void*> queries;       // M rows
  RowsOfHeads<const void*> keys, values;  // N rows
  const void* y;                          // [M, heads, head_size]
  const void* log_sums;                   // wide [M, heads]
  // Strides as those of queries, keys and values. Nobody wants one of the latter two alone: both
  // are null or neither.
  Gradient dqueries, dkeys, dvalues;
  void* workspace;  // attention_backward_workspace bytes
  AttentionLayout layout;
  AttentionDropout dropout;
};
std::int64_t attention_backward_workspace(const AttentionLayout& layout, CpuStream& stream);
void run(const AttentionBackwardArgs& args, CpuStream& stream);
std::int64_t attention_backward_workspace(const AttentionLayout& layout, CudaStream& stream);
void run(const AttentionBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
