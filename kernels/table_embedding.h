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

struct TableEmbeddingBackwardArgs {
  const void* dy;                     // [tokens, columns]
  const void* values;                 // wide [tokens]
  const std::int32_t* token_order;    // [tokens]: grouped by table row
  const std::int64_t* group_offsets;  // [table_rows + 1]
  Gradient dtable;                    // wide [table_rows, columns]: a row sums over many tokens
  Gradient dvalue_weight;             // wide [columns]
  std::int64_t tokens, columns, table_rows;
  DType dtype;
};
void run(const TableEmbeddingBackwardArgs& args, CpuStream& stream);

}  // namespace lodestone::kernels
