#include "engine/memory/cuda_allocator.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>

#include "engine/core/check.h"
#include "engine/core/cuda.h"
#include "engine/core/log.h"

namespace lodestone {

namespace {

class CudaAllocator final : public Allocator {
 public:
  explicit CudaAllocator(Device device) : device_(device), stream_(cuda_stream(device).native()) {
    // What comes back is kept for the next step instead of being returned to the driver.
    std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
    cudaMemPool_t pool = nullptr;
    cuda_check(cudaDeviceGetDefaultMemPool(&pool, device.index));
    cuda_check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  }

  void* allocate(std::size_t bytes) override {
    void* block = nullptr;
    const cudaError_t status = cudaMallocAsync(&block, bytes, stream_);
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();  // it is said here, and the device can go on
      fail(ErrorKind::kOutOfMemory,
           "{}: {} bytes are not to be had; lower loader.micro_batch_tokens", device_.text(),
           bytes);
    }
    cuda_check(status);
    return block;
  }

  void free(void* block, std::size_t) noexcept override {
    if (const cudaError_t status = cudaFreeAsync(block, stream_); status != cudaSuccess)
      log::error("cudaFreeAsync: {}", cudaGetErrorString(status));
  }

 private:
  Device device_;
  cudaStream_t stream_;
};

}  // namespace

Allocator& cuda_allocator(Device device) {
  static std::map<int, std::unique_ptr<CudaAllocator>> allocators;
  auto& allocator = allocators[device.index];
  if (!allocator) allocator = std::make_unique<CudaAllocator>(device);
  return *allocator;
}

}  // namespace lodestone
