#pragma once
// One update of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019)
// with the order of operations of torch.optim.AdamW, over flat buffers: every number passes through
// memory once.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

// The factors of one update, with f32 rounded from f64: 1 - beta2 computed in f32 would be wrong in
// its fifth digit.
struct AdamWFactors {
  double max_norm;  // longer gradients are scaled to it by clip_coefficient; 0: never
  float keep;       // 1 - learning rate * weight decay
  float beta1, add1, beta2, add2;  // add = 1 - beta
  float rate;                      // learning rate / (1 - beta1^t)
  float root_correction;           // 1 / sqrt(1 - beta2^t)
  float eps;
};

struct AdamWArgs {
  float* gradients;  // [n]; zero afterwards, for the next step to add to
  float* masters;    // [n]
  float* first;      // [n]: moments
  float* second;     // [n]
  void* values;      // bf16 [n]: the rounded masters; null where the masters are the values
  // [pieces + 1], from 0 to n; multiples of 4 but for the last.
  const std::int64_t* offsets;
  const std::uint8_t* decays;  // [pieces]: whether the piece's weights decay
  const double* norm;          // [1]: of the gradients; nothing is written when it is not finite
  std::int64_t pieces;
  AdamWFactors factors;
};
void run(const AdamWArgs& args, CpuStream& stream);
void run(const AdamWArgs& args, CudaStream& stream);

// As torch.nn.utils.clip_grad_norm_: max_norm / (norm + 1e-6), at most 1. max_norm 0 never clips.
constexpr double clip_coefficient(double norm, double max_norm) {
  const double coefficient = max_norm > 0 ? max_norm / (norm + 1e-6) : 1.0;
  return coefficient < 1.0 ? coefficient : 1.0;
}

}  // namespace lodestone::kernels
