#pragma once
#include <cstdint>
#include <string>

#include "engine/core/build_config.h"
#include "engine/core/error.h"

namespace lodestone {

struct Device {
  enum class Kind : std::uint8_t { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  int index = 0;
  bool is_cpu() const { return kind == Kind::kCpu; }
  std::string text() const { return is_cpu() ? "cpu" : "cuda:" + std::to_string(index); }
  friend bool operator==(const Device&, const Device&) = default;
  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {Kind::kCuda, index}; }
};

// Work on the CPU is synchronous; how many threads it may use is in engine/core/threads.h.
class CpuStream {};

// Defined in engine/core/cuda.h, which only CUDA translation units include.
class CudaStream;

int cuda_device_count();     // 0 without a driver, a device, or a CUDA build
std::string cuda_problem();  // why there is no CUDA device, in a sentence; empty when there is one
CpuStream& cpu_stream();
// The device's compute stream, on which everything runs in order. One thread drives a device.
// Throws kDevice when there is no such device.
CudaStream& cuda_stream(Device device);

}  // namespace lodestone
