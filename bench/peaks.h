#pragma once
// What this machine can do at most with the threads it has now: the roofs that rows are held
// against.
#include "engine/core/dtype.h"

namespace lodestone::bench {

struct Peaks {
  double fma_f32 = 0;   // FLOP/s of fused multiply-adds on registers
  double dot_bf16 = 0;  // FLOP/s of dot products of bf16 pairs; 0 = not in this processor
  double copy = 0;      // bytes/s, read plus written, from one large array to another
  double multiplies(DType dtype) const {  // the roof of products in that dtype
    return dtype == DType::kBf16 && dot_bf16 > 0 ? dot_bf16 : fma_f32;
  }
};

// Takes the best of several short runs; about a second and half a gigabyte of memory.
Peaks measure_peaks();

// Dot products of bf16 pairs on registers on the calling thread; returns the FLOPs done, 0 when the
// processor has none.
double dot_bf16_pairs(std::int64_t rounds);

}  // namespace lodestone::bench
