#pragma once
// Sum over rows of -log softmax(logits[m])[labels[m]]. A row of label kIgnoredLabel does not count.
// The backward recomputes probabilities from two numbers a row.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

inline constexpr std::int32_t kIgnoredLabel = -100;

struct CrossEntropyForwardArgs {
  const void* logits;          // [rows, columns]
  const std::int32_t* labels;  // [rows], each in [0, columns) or kIgnoredLabel
  void* maxima;                // wide [rows]
  void* log_sums;              // wide [rows]: log of the sum of exp(logit - maximum)
  void* row_losses;            // wide [rows]
  void* loss;                  // wide [1]
  std::int64_t rows, columns;
  DType dtype;
};
void run(const CrossEntropyForwardArgs& args, CpuStream& stream);
void run(const CrossEntropyForwardArgs& args, CudaStream& stream);

struct CrossEntropyBackwardArgs {
  const void* dloss;           // wide [1]
  const void* logits;          // [rows, columns]
  const std::int32_t* labels;  // [rows]
  const void* maxima;          // wide [rows]
  const void* log_sums;        // wide [rows]
  Gradient dlogits;            // [rows, columns]; may be the logits
  std::int64_t rows, columns;
  DType dtype;
};
void run(const CrossEntropyBackwardArgs& args, CpuStream& stream);
void run(const CrossEntropyBackwardArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
