#pragma once
// What a packed token's embedding is: y[n] = table[row_of_token[n]] + values[n] * value_weight.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct TableEmbeddingForwardArgs {
  const void* table;                 // [table_rows, columns]
  const void* value_weight;          // [columns]; null: no values
  const void* values;                // wide [tokens]; not read without value_weight
  const std::int32_t* row_of_token;  // [tokens], each in [0, table_rows)
  void* y;                           // [tokens, columns]
  std::int64_t tokens, columns;
  DType dtype;
};
void run(const TableEmbeddingForwardArgs& args, CpuStream& stream);
void run(const TableEmbeddingForwardArgs& args, CudaStream& stream);

struct TableEmbeddingBackwardArgs {
  const void* dy;                              // [tokens, columns]
  const void* values;                          // wide [tokens]
  const std::int32_t* row_of_token = nullptr;  // [tokens]; only CUDA reads it
  const std::int32_t* token_order;             // [tokens]: grouped by table row
  const std::int64_t* group_offsets;           // [table_rows + 1]
  Gradient dtable;            // wide [table_rows, columns]: a row sums over many tokens
  Gradient dvalue_weight;     // wide [columns]
  void* workspace = nullptr;  // table_embedding_backward_workspace bytes
  std::int64_t tokens, columns, table_rows;
  DType dtype;
};
void run(const TableEmbeddingBackwardArgs& args, CpuStream& stream);
void run(const TableEmbeddingBackwardArgs& args, CudaStream& stream);

// On CUDA the order of tokens is summed in runs of so many, of which a block has several.
inline constexpr std::int64_t kTableEmbeddingRun = 64;
inline constexpr std::int64_t kTableEmbeddingRunsOfBlock = 8;
constexpr std::int64_t table_embedding_blocks(std::int64_t tokens) {
  constexpr std::int64_t kTokens = kTableEmbeddingRun * kTableEmbeddingRunsOfBlock;
  return (tokens + kTokens - 1) / kTokens;
}
// Bytes: two sums a run for dtable, one a block for dvalue_weight.
constexpr std::int64_t table_embedding_backward_workspace(std::int64_t tokens, std::int64_t columns,
                                                          const CudaStream&) {
  constexpr std::int64_t kRows = 2 * kTableEmbeddingRunsOfBlock + 1;
  return table_embedding_blocks(tokens) * kRows * columns * std::int64_t{sizeof(float)};
}
constexpr std::int64_t table_embedding_backward_workspace(std::int64_t, std::int64_t,
                                                          const CpuStream&) {
  return 0;
}

}  // namespace lodestone::kernels
