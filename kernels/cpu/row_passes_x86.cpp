#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/row_passes.h"

namespace lodestone::kernels {

namespace avx512 {

// Defined in layer_norm_avx512.cpp, elements_avx512.cpp and cross_entropy_avx512.cpp.
extern const LayerNormPasses kLayerNormF32, kLayerNormBf16;
extern const QuickGeluPasses kQuickGeluF32, kQuickGeluBf16;
extern const DropoutPass kDropoutF32, kDropoutBf16;
extern const CrossEntropyPasses kCrossEntropyF32, kCrossEntropyBf16;

}  // namespace avx512

namespace {

// Both kinds take instructions for bf16 here: one file holds them.
template <class Passes>
const Passes* chosen(DType dtype, const Passes& f32, const Passes& bf16) {
  if (!cpu_features().avx512_bf16) return nullptr;
  if (dtype == DType::kF32) return &f32;
  return dtype == DType::kBf16 ? &bf16 : nullptr;
}

}  // namespace

const LayerNormPasses* avx512_layer_norm(DType dtype) {
  return chosen(dtype, avx512::kLayerNormF32, avx512::kLayerNormBf16);
}

DropoutPass avx512_dropout(DType dtype) {
  const DropoutPass* pass = chosen(dtype, avx512::kDropoutF32, avx512::kDropoutBf16);
  return pass ? *pass : nullptr;
}

const QuickGeluPasses* avx512_quick_gelu(DType dtype) {
  return chosen(dtype, avx512::kQuickGeluF32, avx512::kQuickGeluBf16);
}

const CrossEntropyPasses* avx512_cross_entropy(DType dtype) {
  return chosen(dtype, avx512::kCrossEntropyF32, avx512::kCrossEntropyBf16);
}

}  // namespace lodestone::kernels
