#pragma once
// y = (x - mean(x)) * rstd(x) * weight + bias over the last axis of x[rows, cols] (Ba et al. 2016);
// rstd = 1 / sqrt(variance + eps). Statistics are wide (f32, or f64 for f64); the variance takes a
// second pass, because eps may be 1e-12.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct LayerNormForwardArgs {
  const void* x;       // [rows, cols]
  const void* weight;  // [cols]
  const void* bias;    // [cols]
  void* y;             // [rows, cols]
  void* mean;          // wide [rows]
  void* rstd;          // wide [rows]
  std::int64_t rows, cols;
  float eps;
  DType dtype;
};
void run(const LayerNormForwardArgs& args, CpuStream& stream);
void run(const LayerNormForwardArgs& args, CudaStream& stream);

struct LayerNormBackwardArgs {
  const void* dy;      // [rows, cols]
  const void* x;       // [rows, cols]
  const void* weight;  // [cols]
  const void* mean;    // wide [rows]
  const void* rstd;    // wide [rows]
  Gradient dx;         // [rows, cols]
  Gradient dweight;    // wide [cols]
  Gradient dbias;      // wide [cols]
  void* parts;         // wide [row_blocks(rows), 2, cols] scratch
  std::int64_t rows, cols;
  DType dtype;
};
void run(const LayerNormBackwardArgs& args, CpuStream& stream);
void run(const LayerNormBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
