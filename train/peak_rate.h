#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"

namespace lodestone {

// What MFU is a share of.
struct PeakRate {
  double flops = 0;    // FLOP/s
  std::string origin;  // "published for NVIDIA H200", "measured now with products of 768 x 768"
};

// In bf16 on a CUDA device of a known name: the published peak. Otherwise that of the device's own
// products, measured: with matrices of 768 x 768, the model's usual size, on the CPU, in about a
// tenth of a second; with large ones on CUDA.
PeakRate peak_rate(Device device, DType dtype);

// Published dense bf16 peak of the tensor cores of a CUDA device by the driver's name for it, in
// FLOP/s; 0 for a name that is not in the table.
double published_peak(std::string_view device_name);

// FLOP/s of the device's product of two matrices of size x size: the best of a few.
double product_rate(Device device, DType dtype, std::int64_t size);

}  // namespace lodestone
