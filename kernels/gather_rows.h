#pragma once
// Rows of a table chosen by index, and the sums of their gradients.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct GatherRowsForwardArgs {
  const void* table;         // [table_rows, columns]
  const std::int32_t* rows;  // [count], each in [0, table_rows)
  void* y;                   // [count, columns]
  std::int64_t count, columns;
  DType dtype;
};
void run(const GatherRowsForwardArgs& args, CpuStream& stream);
void run(const GatherRowsForwardArgs& args, CudaStream& stream);

struct GatherRowsBackwardArgs {
  const void* dy;            // [count, columns]
  const std::int32_t* rows;  // [count]
  Gradient dtable;           // gradient_dtype [table_rows, columns]
  std::int64_t count, columns, table_rows;
  std::int32_t row_without_gradient;  // -1: none
  DType dtype, gradient_dtype;        // gradient_dtype: dtype or accumulation_type of it
};
void run(const GatherRowsBackwardArgs& args, CpuStream& stream);
void run(const GatherRowsBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
