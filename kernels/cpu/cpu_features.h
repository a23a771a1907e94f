#pragma once

namespace lodestone::kernels {

// What the processor has beyond what the binary was compiled for. Kernels that need it stand in
// files of their own, in functions that name their instructions, and are chosen at run time.
struct CpuFeatures {
  bool avx512_bf16 = false;  // dot products of bf16 pairs, with AVX-512 F, BW, DQ and VL
};
// Asked once.
const CpuFeatures& cpu_features();

}  // namespace lodestone::kernels
