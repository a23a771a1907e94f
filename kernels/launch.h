#pragma once
#include <string>
#include <string_view>
#include <typeinfo>

#include "engine/core/error.h"
#include "engine/core/profile.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

// f(the device's compute stream).
template <class F>
decltype(auto) with_stream(Device device, F&& f) {
  if constexpr (kCudaBuilt)
    if (!device.is_cpu()) return f(cuda_stream(device));
  if (!device.is_cpu()) throw_error(ErrorKind::kDevice, cuda_problem());
  return f(cpu_stream());
}

// "LayerNormBackward" for LayerNormBackwardArgs, which is
// N9lodestone7kernels21LayerNormBackwardArgsE to the linker.
template <class Args>
const char* work_name() {
  static const std::string name = [] {
    const std::string_view type = typeid(Args).name();
    const std::string_view before = type.substr(0, type.rfind("Args"));
    return std::string(before.substr(before.find_last_of("0123456789") + 1));
  }();
  return name.c_str();
}

// Runs one kernel on the device its tensors live on. An `Args` type belongs to namespace kernels
// and comes with `run(const Args&, Stream&)` for both streams, found by argument-dependent lookup:
// a kernel that one of them lacks does not link. On CUDA it is a range in NVIDIA's profilers.
template <class Args>
void launch(const Args& args, Device device) {
  if (device.is_cpu()) return run(args, cpu_stream());
  const ProfilerRange range(work_name<Args>());
  with_stream(device, [&](auto& stream) { run(args, stream); });
}

}  // namespace lodestone::kernels
