#include "tests/gpu/kernels/limit_kernels.h"

namespace lodestone::testing {

namespace {

__global__ void plain() {}
__global__ void __launch_bounds__(64) bounded() {}
__global__ void large() {
  extern __shared__ int words[];
  words[threadIdx.x] = static_cast<int>(threadIdx.x);
}

__device__ void announce(const int* buffer, int bytes) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(buffer));
  asm volatile("{ .reg .b64 emu_object; mov.b64 emu_object, {%0, %1}; }" ::"r"(address),
               "r"(bytes));
}

__global__ void carved(int words, int index) {
  extern __shared__ int memory[];
  int* second = memory + words + 1;
  announce(memory, 4 * words);
  announce(second, 4 * words);
  memory[index] = 1;
  second[0] = 2;
}

}  // namespace

cudaError_t launch_plain(unsigned blocks, unsigned threads, std::size_t dynamic_shared_bytes) {
  plain<<<blocks, threads, dynamic_shared_bytes>>>();
  return cudaGetLastError();
}

cudaError_t launch_bounded(unsigned threads) {
  bounded<<<1, threads>>>();
  return cudaGetLastError();
}

cudaError_t allow_shared_memory(int bytes) {
  const cudaError_t status =
      cudaFuncSetAttribute(large, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  cudaGetLastError();
  return status;
}

cudaError_t launch_large(std::size_t dynamic_shared_bytes) {
  large<<<1, 32, dynamic_shared_bytes>>>();
  return cudaGetLastError();
}

cudaError_t launch_carved(int words, int index) {
  carved<<<1, 1, static_cast<std::size_t>(2 * words + 1) * sizeof(int)>>>(words, index);
  return cudaDeviceSynchronize();
}

int blocks_of_bounded(int threads, std::size_t dynamic_shared_bytes) {
  int blocks = 0;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, threads, dynamic_shared_bytes);
  return blocks;
}

}  // namespace lodestone::testing
