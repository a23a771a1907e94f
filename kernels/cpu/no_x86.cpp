// Stands in for the files for x86 processors where the target is another.
#include "kernels/cpu/attention_passes.h"
#include "kernels/cpu/cpu_features.h"

namespace lodestone::kernels {

const CpuFeatures& cpu_features() {
  static const CpuFeatures none;
  return none;
}

const AttentionPasses* bf16_pair_attention() {
  return nullptr;
}

}  // namespace lodestone::kernels
