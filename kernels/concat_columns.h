#pragma once
// Matrices of the same rows side by side, each times a constant.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

inline constexpr int kMaxConcatParts = 8;

struct ConcatColumnsForwardArgs {
  const void* parts[kMaxConcatParts];  // [rows, columns[k]]
  void* y;                             // [rows, sum of columns]
  std::int64_t columns[kMaxConcatParts];
  float scales[kMaxConcatParts];
  int count;  // parts
  std::int64_t rows;
  DType dtype;
};
void run(const ConcatColumnsForwardArgs& args, CpuStream& stream);
void run(const ConcatColumnsForwardArgs& args, CudaStream& stream);

struct ConcatColumnsBackwardArgs {
  const void* dy;                    // [rows, sum of columns]
  Gradient dparts[kMaxConcatParts];  // [rows, columns[k]]
  std::int64_t columns[kMaxConcatParts];
  float scales[kMaxConcatParts];
  int count;
  std::int64_t rows;
  DType dtype;
};
void run(const ConcatColumnsBackwardArgs& args, CpuStream& stream);
void run(const ConcatColumnsBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
