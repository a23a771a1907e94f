#pragma once
// What a device can do at most, the CPU with the threads it has now: the roofs that rows are held
// against.
#include <cstdint>
#include <string>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"

namespace lodestone::bench {

struct Peaks {
  // How multiplications were measured: on the CPU, multiply-adds and dot products of bf16 pairs on
  // registers; on CUDA, large matrix products.
  std::string f32_name = "fma_f32", bf16_name = "dot_bf16";
  double f32 = 0, bf16 = 0;   // FLOP/s; 0 = not in this processor
  double copy = 0;            // bytes/s, read plus written, from one large array to another
  double published_bf16 = 0;  // FLOP/s, of the card by its name; 0 = not known
  double multiplies(DType dtype) const {  // the roof of products in that dtype
    return dtype == DType::kBf16 && bf16 > 0 ? bf16 : f32;
  }
};

// How large a device's products and copies are: far beyond its caches.
struct PeakSizes {
  std::int64_t product = 8192;  // rows and columns of both factors
  std::int64_t copied_bytes = std::int64_t{1} << 31;
};

// Takes the best of several short runs. CPU: about a second and half a gigabyte of memory; `sizes`
// are those of CUDA.
Peaks measure_peaks(Device device, const PeakSizes& sizes = {});

// Dot products of bf16 pairs on registers on the calling thread; returns the FLOPs done, 0 when the
// processor has none.
double dot_bf16_pairs(std::int64_t rounds);

}  // namespace lodestone::bench
