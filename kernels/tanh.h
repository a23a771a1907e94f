#pragma once
// y = tanh(x), element by element; its derivative is 1 - y^2.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct TanhForwardArgs {
  const void* x;  // [count]
  void* y;        // [count]
  std::int64_t count;
  DType dtype;
};
void run(const TanhForwardArgs& args, CpuStream& stream);
void run(const TanhForwardArgs& args, CudaStream& stream);

struct TanhBackwardArgs {
  const void* dy;  // [count]
  const void* y;   // [count]
  Gradient dx;     // [count]
  std::int64_t count;
  DType dtype;
};
void run(const TanhBackwardArgs& args, CpuStream& stream);
void run(const TanhBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
