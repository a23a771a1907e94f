#pragma once
#include <string>

#include "engine/core/error.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

// f(the device's compute stream).
template <class F>
decltype(auto) with_stream(Device device, F&& f) {
  if (!device.is_cpu())
    throw_error(ErrorKind::kDevice, "no kernels for " + device.text() + " in this version");
  return f(cpu_stream());
}

// Runs one kernel on the device its tensors live on. An `Args` type belongs to namespace kernels
// and comes with `run(const Args&, Stream&)` for both streams, found by argument-dependent lookup:
// a kernel that one of them lacks does not link.
template <class Args>
void launch(const Args& args, Device device) {
  with_stream(device, [&](auto& stream) { run(args, stream); });
}

}  // namespace lodestone::kernels
