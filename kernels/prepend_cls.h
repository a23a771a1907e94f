#pragma once
// Puts row cls[species[b]] before the rows of each cell b: y has cells rows more than x.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct PrependClsForwardArgs {
  const void* x;                // [rows, columns]
  const void* cls;              // [kinds, columns]
  const std::int32_t* species;  // [cells], each in [0, kinds)
  const std::int64_t* offsets;  // [cells + 1], of x
  void* y;                      // [rows + cells, columns]
  std::int64_t cells, rows, columns;
  DType dtype;
};
void run(const PrependClsForwardArgs& args, CpuStream& stream);
void run(const PrependClsForwardArgs& args, CudaStream& stream);

struct PrependClsBackwardArgs {
  const void* dy;               // [rows + cells, columns]
  const std::int32_t* species;  // [cells]
  const std::int64_t* offsets;  // [cells + 1], of x
  Gradient dx;                  // [rows, columns]
  Gradient dcls;                // wide [kinds, columns]
  std::int64_t cells, rows, columns, kinds;
  DType dtype;
};
void run(const PrependClsBackwardArgs& args, CpuStream& stream);
void run(const PrependClsBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
