// What the code that nvcc generates calls: registration before main, and the launch of `<<<>>>`.
#include <vector_types.h>

#include <vector>

#include "engine/core/check.h"
#include "tests/gpu/runtime/device_state.h"
#include "tests/gpu/runtime/kernel_launch.h"

namespace {

using lodestone::ptx::device;
using lodestone::ptx::RegisteredModule;

RegisteredModule* module_of(void** handle) {
  return reinterpret_cast<RegisteredModule*>(handle);
}

struct CallConfiguration {
  dim3 grid, block;
  std::size_t dynamic_shared_bytes = 0;
  cudaStream_t stream = nullptr;
};

std::vector<CallConfiguration>& call_configurations() {
  thread_local std::vector<CallConfiguration> stack;
  return stack;
}

}  // namespace

extern "C" {

// The names are nvcc's. NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier)

void** __cudaRegisterFatBinary(void* fat_binary) {
  return reinterpret_cast<void**>(device().add_module(fat_binary));
}

void __cudaRegisterFatBinaryEnd(void** /*handle*/) {}
void __cudaUnregisterFatBinary(void** /*handle*/) {}

char __cudaInitModule(void** /*handle*/) {
  return 1;
}

void __cudaRegisterFunction(void** handle, const char* stub, char* /*device_function*/,
                            const char* name, int /*thread_limit*/, uint3* /*thread*/,
                            uint3* /*block*/, dim3* /*block_size*/, dim3* /*grid_size*/,
                            int* /*warp_size*/) {
  device().kernels[stub] = {.module = module_of(handle), .name = name};
}

void __cudaRegisterVar(void** handle, char* host_variable, char* /*device_address*/,
                       const char* name, int /*external*/, std::size_t size, int /*constant*/,
                       int /*global*/) {
  device().variables[host_variable] = {.module = module_of(handle), .name = name, .size = size};
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
                                     cudaStream_t stream) {
  call_configurations().push_back({grid, block, dynamic_shared_bytes, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* dynamic_shared_bytes,
                                       void* stream) {
  if (call_configurations().empty()) return cudaErrorMissingConfiguration;
  const CallConfiguration top = call_configurations().back();
  call_configurations().pop_back();
  *grid = top.grid;
  *block = top.block;
  *dynamic_shared_bytes = top.dynamic_shared_bytes;
  *static_cast<cudaStream_t*>(stream) = top.stream;
  return cudaSuccess;
}

// A kernel's handle is the address of its stub.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               std::size_t dynamic_shared_bytes, cudaStream_t /*stream*/) {
  return lodestone::ptx::launch_kernel(kernel, grid, block, arguments, dynamic_shared_bytes);
}

// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)

}  // extern "C"
