#pragma once

namespace lodestone::kernels {

// What the processor has beyond what the binary was compiled for. Kernels that need it stand in
// files of their own, in functions that name their instructions, and are chosen at run time.
struct CpuFeatures {
  bool avx512 = false;       // AVX-512 F, BW, DQ and VL
  bool avx512_bf16 = false;  // and dot products of bf16 pairs
};
// Asked once.
const CpuFeatures& cpu_features();

}  // namespace lodestone::kernels
