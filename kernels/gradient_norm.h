#pragma once
// The Euclidean norm of a flat buffer of gradients, with what each of its pieces adds to it. In
// f64, in an order that depends on the pieces alone.
#include <cstdint>

#include "engine/core/stream.h"

namespace lodestone::kernels {

struct GradientNormArgs {
  const float* gradients;
  // [pieces + 1], from 0 to the buffer's size; multiples of 4 but for the last.
  const std::int64_t* offsets;
  // [pieces]: the sum of squares of each. Squares of f32 cannot overflow in f64: it is not finite
  // only when an element is not.
  double* squares;
  double* norm;  // [1]
  std::int64_t pieces;
};
void run(const GradientNormArgs& args, CpuStream& stream);
void run(const GradientNormArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
