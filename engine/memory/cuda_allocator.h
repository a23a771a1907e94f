#pragma once
#include "engine/memory/allocator.h"

namespace lodestone {

// Memory of a CUDA device from the driver's pool, in order with its compute stream: a block may be
// freed while kernels that use it are still to run. In a build without CUDA, and where there is no
// such device, it throws kDevice.
Allocator& cuda_allocator(Device device);

}  // namespace lodestone
