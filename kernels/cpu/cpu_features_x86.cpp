#include "kernels/cpu/cpu_features.h"

namespace lodestone::kernels {

const CpuFeatures& cpu_features() {
  // Each is true only if the operating system keeps the registers, too.
  static const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const CpuFeatures features{.avx512 = avx512,
                                    .avx512_bf16 = avx512 && __builtin_cpu_supports("avx512bf16")};
  return features;
}

}  // namespace lodestone::kernels
