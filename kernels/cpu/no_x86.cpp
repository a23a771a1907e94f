// Stands in for the files for x86 processors where the target is another.
#include "kernels/cpu/attention_passes.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/random_words.h"
#include "kernels/cpu/row_passes.h"

namespace lodestone::kernels {

const CpuFeatures& cpu_features() {
  static const CpuFeatures none;
  return none;
}

const AttentionPasses* avx512_attention(DType) {
  return nullptr;
}

const LayerNormPasses* avx512_layer_norm(DType) {
  return nullptr;
}

DropoutPass avx512_dropout(DType) {
  return nullptr;
}

const QuickGeluPasses* avx512_quick_gelu(DType) {
  return nullptr;
}

const CrossEntropyPasses* avx512_cross_entropy(DType) {
  return nullptr;
}

void random_words_avx512(const RandomCounter& counter, std::uint32_t* words) {
  random_words_portable(counter, words);
}

void words_below_avx512(const WordComparison& comparison, std::uint64_t* masks) {
  words_below_portable(comparison, masks);
}

}  // namespace lodestone::kernels
