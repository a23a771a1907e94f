#pragma once
#include <string>

#include "engine/core/error.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

// Runs one kernel on the device its tensors live on. An `Args` type belongs to namespace kernels
// and comes with `run(const Args&, CpuStream&)`, found by argument-dependent lookup.
template <class Args>
void launch(const Args& args, Device device) {
  if (device.is_cpu()) return run(args, cpu_stream());
  throw_error(ErrorKind::kDevice, "no kernels for " + device.text() + " in this version");
}

}  // namespace lodestone::kernels
