#pragma once
// y[n] = x[n] + token_type[0] + positions[rank of n in its cell].
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct AddPositionsForwardArgs {
  const void* x;                // [rows, columns]
  const void* token_type;       // [types, columns]; row 0 is read
  const void* positions;        // [position_rows, columns]
  const std::int64_t* offsets;  // [cells + 1]
  void* y;                      // [rows, columns]
  std::int64_t cells, rows, columns;
  DType dtype;
};
void run(const AddPositionsForwardArgs& args, CpuStream& stream);

struct AddPositionsBackwardArgs {
  const void* dy;               // [rows, columns]
  const std::int64_t* offsets;  // [cells + 1]
  Gradient dx;                  // [rows, columns]
  Gradient dtoken_type;         // wide [types, columns]
  Gradient dpositions;          // wide [position_rows, columns]
  std::int64_t cells, rows, columns, types, position_rows;
  DType dtype;
};
void run(const AddPositionsBackwardArgs& args, CpuStream& stream);

}  // namespace lodestone::kernels
