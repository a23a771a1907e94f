#pragma once
// Sum over m of (predictions[m] - targets[m])^2.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct SquaredErrorForwardArgs {
  const void* predictions;  // [count]
  const void* targets;      // wide [count]
  void* loss;               // wide [1]
  std::int64_t count;
  DType dtype;
};
void run(const SquaredErrorForwardArgs& args, CpuStream& stream);
void run(const SquaredErrorForwardArgs& args, CudaStream& stream);

struct SquaredErrorBackwardArgs {
  const void* dloss;        // wide [1]
  const void* predictions;  // [count]
  const void* targets;      // wide [count]
  Gradient dpredictions;    // [count]
  std::int64_t count;
  DType dtype;
};
void run(const SquaredErrorBackwardArgs& args, CpuStream& stream);
void run(const SquaredErrorBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
