#pragma once
// y = activation(x @ weight^T + bias).
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/activation.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct LinearForwardArgs {
  const void* x;         // [rows, in]
  const void* weight;    // [out, in]
  const void* bias;      // [out], or null
  void* pre_activation;  // [rows, out]; may be y; not used without activation
  void* y;               // [rows, out]
  std::int64_t rows, in, out;
  Activation activation;
  DType dtype;
};
void run(const LinearForwardArgs& args, CpuStream& stream);
void run(const LinearForwardArgs& args, CudaStream& stream);

struct LinearBackwardArgs {
  const void* dy;              // [rows, out]
  const void* x;               // [rows, in]
  const void* weight;          // [out, in]
  const void* pre_activation;  // [rows, out]; not used without activation
  void* dpre_activation;       // [rows, out] scratch; not used without activation
  Gradient dx;                 // [rows, in]
  Gradient dweight;            // wide [out, in]
  Gradient dbias;              // wide [out]
  void* parts;                 // wide [row_blocks(rows), out] scratch; with activation or dbias
  std::int64_t rows, in, out;
  Activation activation;
  DType dtype;
};
void run(const LinearBackwardArgs& args, CpuStream& stream);
void run(const LinearBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
