#pragma once
// y = layer_norm(residual + dropout(x)), see kernels/layer_norm.h and kernels/dropout.h. The sum is
// rounded to the dtype before it is normalised, so that forward and backward see the same numbers.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/dropout.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct DropoutResidualLayerNormForwardArgs {
  const void* x;         // [rows, cols]
  const void* residual;  // [rows, cols]
  const void* weight;    // [cols]
  const void* bias;      // [cols]
  void* sum;             // [rows, cols]: residual + dropout(x), for the backward; may be y
  void* y;               // [rows, cols]
  void* mean;            // wide [rows]
  void* rstd;            // wide [rows]
  std::int64_t rows, cols;
  float eps;
  DropoutMask mask;
  DType dtype;
};
void run(const DropoutResidualLayerNormForwardArgs& args, CpuStream& stream);
void run(const DropoutResidualLayerNormForwardArgs& args, CudaStream& stream);

struct DropoutResidualLayerNormBackwardArgs {
  const void* dy;      // [rows, cols]
  const void* sum;     // [rows, cols]
  const void* weight;  // [cols]
  const void* mean;    // wide [rows]
  const void* rstd;    // wide [rows]
  Gradient dx;         // [rows, cols]
  Gradient dresidual;  // [rows, cols]
  Gradient dweight;    // wide [cols]
  Gradient dbias;      // wide [cols]
  void* parts;         // wide [row_blocks(rows), 2, cols] scratch
  std::int64_t rows, cols;
  DropoutMask mask;
  DType dtype;
};
void run(const DropoutResidualLayerNormBackwardArgs& args, CpuStream& stream);
void run(const DropoutResidualLayerNormBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
