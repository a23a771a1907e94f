#pragma once
// Sum over k of weights[k] * terms[k], single numbers of a wide dtype.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

inline constexpr int kMaxSumTerms = 8;

struct WeightedSumForwardArgs {
  const void* terms[kMaxSumTerms];  // [1]
  double weights[kMaxSumTerms];
  void* y;  // [1]
  int count;
  DType dtype;  // f32 or f64
};
void run(const WeightedSumForwardArgs& args, CpuStream& stream);
void run(const WeightedSumForwardArgs& args, CudaStream& stream);

struct WeightedSumBackwardArgs {
  const void* dy;                 // [1]
  Gradient dterms[kMaxSumTerms];  // [1]
  double weights[kMaxSumTerms];
  int count;
  DType dtype;
};
void run(const WeightedSumBackwardArgs& args, CpuStream& stream);
void run(const WeightedSumBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
