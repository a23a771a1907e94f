// Kernels: launches through the runtime's functions, attributes, occupancy.
#include <algorithm>

#include "engine/core/check.h"
#include "tests/gpu/runtime/device_state.h"
#include "tests/gpu/runtime/kernel_launch.h"

namespace {

using lodestone::ptx::device;
using lodestone::ptx::KernelImage;
using lodestone::ptx::kMostSharedBytes;
using lodestone::ptx::launch_kernel;
using lodestone::ptx::RegisteredKernel;
using lodestone::ptx::run_call;

// Calls body(kernel, image) for a registered kernel.
template <class Body>
cudaError_t with_kernel(const void* stub, Body&& body) {
  return run_call([&] {
    RegisteredKernel* kernel = device().kernel(stub);
    if (kernel == nullptr) return device().fail(cudaErrorInvalidDeviceFunction);
    return body(*kernel, kernel->module->loaded(device().memory()).kernel(kernel->name));
  });
}

// Blocks that fit on a multiprocessor by their threads and shared memory; registers, which only
// the assembler knows, are left out.
int blocks_that_fit(const KernelImage& image, int threads, std::size_t dynamic_shared_bytes) {
  constexpr std::size_t kThreads = 2048, kShared = std::size_t{228} * 1024, kReserved = 1024;
  constexpr std::size_t kBlocks = 32;
  const auto warps = static_cast<std::size_t>((threads + 31) / 32);
  const std::size_t shared = image.shared().static_bytes() + dynamic_shared_bytes + kReserved;
  return static_cast<int>(std::min({kBlocks, kThreads / (32 * warps), kShared / shared}));
}

cudaError_t occupancy(int* blocks, const void* stub, int threads,
                      std::size_t dynamic_shared_bytes) {
  return with_kernel(stub, [&](RegisteredKernel&, const KernelImage& image) {
    if (threads <= 0 || threads > 1024) return device().fail(cudaErrorInvalidValue);
    *blocks = blocks_that_fit(image, threads, dynamic_shared_bytes);
    return cudaSuccess;
  });
}

bool has_cluster(const cudaLaunchConfig_t& configuration) {
  for (unsigned i = 0; i < configuration.numAttrs; ++i) {
    const cudaLaunchAttribute& each = configuration.attrs[i];
    const auto& size = each.val.clusterDim;
    if (each.id == cudaLaunchAttributeClusterDimension && size.x * size.y * size.z > 1) return true;
  }
  return false;
}

}  // namespace

extern "C" {

// The names are the runtime's. NOLINTBEGIN(readability-identifier-naming)

cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** arguments,
                             std::size_t dynamic_shared_bytes, cudaStream_t /*stream*/) {
  return launch_kernel(stub, grid, block, arguments, dynamic_shared_bytes);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* configuration, const void* stub,
                                void** arguments) {
  if (has_cluster(*configuration)) {
    return device().fail(cudaErrorNotSupported, "clusters of more than one block");
  }
  return launch_kernel(stub, configuration->gridDim, configuration->blockDim, arguments,
                       configuration->dynamicSmemBytes);
}

// Blocks run one after the other: they cannot wait for each other.
cudaError_t cudaLaunchCooperativeKernel(const void* /*stub*/, dim3 /*grid*/, dim3 /*block*/,
                                        void** /*arguments*/, std::size_t /*dynamic_shared_bytes*/,
                                        cudaStream_t /*stream*/) {
  return device().fail(cudaErrorNotSupported, "cooperative launches");
}

cudaError_t cudaFuncSetAttribute(const void* stub, cudaFuncAttribute attribute, int value) {
  return with_kernel(stub, [&](RegisteredKernel& kernel, const KernelImage& image) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    const std::int64_t most = std::int64_t{kMostSharedBytes} - image.shared().static_bytes();
    if (value < 0 || value > most) {
      return device().fail(cudaErrorInvalidValue,
                           fmt::format("{}: {} bytes of dynamic shared memory, and {} are left",
                                       kernel.name, value, most));
    }
    kernel.most_dynamic_shared_bytes = static_cast<std::uint32_t>(value);
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetCacheConfig(const void* /*stub*/, cudaFuncCache /*configuration*/) {
  return device().sticky();
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* stub) {
  return with_kernel(stub, [&](const RegisteredKernel& kernel, const KernelImage& image) {
    *attributes = {};
    attributes->sharedSizeBytes = image.shared().static_bytes();
    attributes->localSizeBytes = image.local_bytes();
    const std::uint32_t bound = image.function().most_threads;
    attributes->maxThreadsPerBlock = static_cast<int>(bound == 0 ? 1024 : std::min(bound, 1024u));
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(kernel.most_dynamic_shared_bytes);
    attributes->ptxVersion = attributes->binaryVersion = 90;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* stub,
                                                          int threads,
                                                          std::size_t dynamic_shared_bytes) {
  return occupancy(blocks, stub, threads, dynamic_shared_bytes);
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* stub,
                                                                   int threads,
                                                                   std::size_t dynamic_shared_bytes,
                                                                   unsigned /*flags*/) {
  return occupancy(blocks, stub, threads, dynamic_shared_bytes);
}

// NOLINTEND(readability-identifier-naming)

}  // extern "C"
