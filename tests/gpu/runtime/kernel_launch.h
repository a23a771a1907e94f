#pragma once
// Launching a registered kernel, with the checks that the device makes.
#include <cuda_runtime_api.h>

#include <cstddef>

namespace lodestone::ptx {

// `stub` is the host's function. A launch that the device would refuse answers an error at once; a
// fault within the kernel answers success and stays, as on the device.
cudaError_t launch_kernel(const void* stub, dim3 grid, dim3 block, void** arguments,
                          std::size_t dynamic_shared_bytes);

}  // namespace lodestone::ptx
