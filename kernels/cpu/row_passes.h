#pragma once
// Passes over rows in f32 and bf16 for processors with AVX-512: what memory should bound, and
// conversions, exponentials and random words would not let. Null where the processor has no such
// instructions, and for other types.
#include "kernels/dropout_residual_layer_norm.h"

namespace lodestone::kernels {

// A layer norm alone is one without a residual: x is what is normalised, no sum is written, and
// there is neither mask nor dresidual. A workspace is a thread's own.
struct LayerNormPasses {
  std::int64_t (*workspace)(std::int64_t cols);  // bytes, a multiple of floats
  void (*forward)(const DropoutResidualLayerNormForwardArgs& args, std::int64_t begin,
                  std::int64_t end, float* workspace);
  // Before a thread's first row of the backward.
  void (*begin_backward)(const DropoutResidualLayerNormBackwardArgs& args, float* workspace);
  // Row r; adds its share of dweight and dbias to [cols] each.
  void (*backward)(const DropoutResidualLayerNormBackwardArgs& args, std::int64_t r,
                   float* workspace, float* dweight, float* dbias);
};
const LayerNormPasses* avx512_layer_norm(DType dtype);

// Rows [begin, end).
using DropoutPass = void (*)(const DropoutArgs& args, std::int64_t begin, std::int64_t end);
DropoutPass avx512_dropout(DType dtype);

struct QuickGeluPasses {
  void (*forward)(const void* x, void* y, std::int64_t begin, std::int64_t end);
  void (*backward)(const void* dy, const void* x, const Gradient& dx, std::int64_t begin,
                   std::int64_t end);
};
const QuickGeluPasses* avx512_quick_gelu(DType dtype);

// Of a row of logits.
struct SoftmaxSum {
  float maximum, sum;  // of exp(logit - maximum)
};
struct CrossEntropyPasses {
  SoftmaxSum (*forward)(const void* logits, std::int64_t columns);
  // dlogits (+)= dloss exp(logit - maximum - log_sum); dlogits may be the logits.
  void (*backward)(const void* logits, std::int64_t columns, float maximum, float log_sum,
                   float dloss, const Gradient& dlogits);
};
const CrossEntropyPasses* avx512_cross_entropy(DType dtype);

}  // namespace lodestone::kernels
