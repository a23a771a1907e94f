#pragma once
// y = x * sigmoid(1.702 x), element by element: the approximation of GELU by Hendrycks and Gimpel
// (2016).
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct QuickGeluForwardArgs {
  const void* x;  // [count]
  void* y;        // [count]
  std::int64_t count;
  DType dtype;
};
void run(const QuickGeluForwardArgs& args, CpuStream& stream);
void run(const QuickGeluForwardArgs& args, CudaStream& stream);

struct QuickGeluBackwardArgs {
  const void* dy;  // [count]
  const void* x;   // [count]
  Gradient dx;     // [count]
  std::int64_t count;
  DType dtype;
};
void run(const QuickGeluBackwardArgs& args, CpuStream& stream);
void run(const QuickGeluBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
