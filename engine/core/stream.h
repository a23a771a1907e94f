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

bool cuda_available();  // false without a driver, a device, or a CUDA build
CpuStream& cpu_stream();
CudaStream& cuda_stream(Device device);  // the compute stream; throws when !cuda_available()

}  // namespace lodestone
