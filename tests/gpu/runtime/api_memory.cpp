// Memory of the runtime: allocation, pools, copies. Streams run at once, so that asynchronous calls
// are the plain ones.
#include <bit>
#include <cstring>

#include "tests/gpu/runtime/device_state.h"

namespace {

using lodestone::ptx::device;
using lodestone::ptx::Extent;
using lodestone::ptx::run_call;

cudaError_t allocate(void** pointer, std::size_t bytes) {
  return run_call([&] {
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    *pointer = device().memory().allocate(bytes);
    return *pointer != nullptr ? cudaSuccess : device().fail(cudaErrorMemoryAllocation);
  });
}

cudaError_t release(void* pointer) {
  return run_call([&] {
    if (pointer == nullptr || device().memory().free(pointer)) return cudaSuccess;
    return device().fail(cudaErrorInvalidValue, "freed memory that is not allocated");
  });
}

// Memory of the device, or pinned: within one allocation.
bool is_reachable(const void* pointer, std::size_t bytes) {
  return device().memory().find(reinterpret_cast<std::uint64_t>(pointer), bytes) != nullptr;
}

bool in_device_region(const void* pointer) {
  return device().memory().in_region(pointer);
}

cudaError_t refuse_range() {
  return device().fail(cudaErrorInvalidValue,
                       "a copy or fill reaches outside of an allocation of the device");
}

// Neither side may leave an allocation of the device that it starts in, and the direction must fit.
cudaError_t copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return run_call([&] {
    if (bytes == 0) return cudaSuccess;
    if (to == nullptr || from == nullptr) return refuse_range();
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if ((to_device || in_device_region(to)) && !is_reachable(to, bytes)) return refuse_range();
    if ((from_device || in_device_region(from)) && !is_reachable(from, bytes)) {
      return refuse_range();
    }
    std::memmove(to, from, bytes);
    return cudaSuccess;
  });
}

cudaError_t fill(void* pointer, int value, std::size_t bytes) {
  return run_call([&] {
    if (bytes == 0) return cudaSuccess;
    if (!is_reachable(pointer, bytes)) return refuse_range();
    std::memset(pointer, value, bytes);
    return cudaSuccess;
  });
}

cudaError_t allocate_pinned(void** pointer, std::size_t bytes) {
  const cudaError_t status = allocate(pointer, bytes);
  if (status == cudaSuccess && bytes > 0) device().pinned[*pointer] = bytes;
  return status;
}

cudaError_t symbol_address(void** pointer, const void* symbol, std::size_t offset,
                           std::size_t bytes) {
  const auto known = device().variables.find(symbol);
  if (known == device().variables.end()) return device().fail(cudaErrorInvalidSymbol);
  const auto& variable = known->second;
  const Extent* extent = variable.module->loaded(device().memory()).variable(variable.name);
  if (extent == nullptr || offset + bytes > extent->size) {
    return device().fail(cudaErrorInvalidSymbol);
  }
  *pointer = std::bit_cast<void*>(extent->begin + offset);
  return cudaSuccess;
}

}  // namespace

extern "C" {

// The names are the runtime's. NOLINTBEGIN(readability-identifier-naming)

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return allocate(pointer, bytes);
}
cudaError_t cudaMallocAsync(void** pointer, std::size_t bytes, cudaStream_t /*stream*/) {
  return allocate(pointer, bytes);
}
cudaError_t cudaMallocFromPoolAsync(void** pointer, std::size_t bytes, cudaMemPool_t /*pool*/,
                                    cudaStream_t /*stream*/) {
  return allocate(pointer, bytes);
}
cudaError_t cudaMallocManaged(void** pointer, std::size_t bytes, unsigned /*flags*/) {
  return allocate_pinned(pointer, bytes);
}
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return allocate_pinned(pointer, bytes);
}
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned /*flags*/) {
  return allocate_pinned(pointer, bytes);
}
cudaError_t cudaHostGetDevicePointer(void** pointer, void* host, unsigned /*flags*/) {
  *pointer = host;
  return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) {
  return release(pointer);
}
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t /*stream*/) {
  return release(pointer);
}
cudaError_t cudaFreeHost(void* pointer) {
  device().pinned.erase(pointer);
  return release(pointer);
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return copy(to, from, bytes, kind);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t /*stream*/) {
  return copy(to, from, bytes, kind);
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  for (std::size_t row = 0; row < height; ++row) {
    const cudaError_t status =
        copy(static_cast<std::byte*>(to) + row * to_pitch,
             static_cast<const std::byte*>(from) + row * from_pitch, width, kind);
    if (status != cudaSuccess) return status;
  }
  return device().sticky();
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t /*stream*/) {
  return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemset(void* pointer, int value, std::size_t bytes) {
  return fill(pointer, value, bytes);
}
cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t /*stream*/) {
  return fill(pointer, value, bytes);
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes,
                               std::size_t offset, cudaMemcpyKind kind) {
  return run_call([&] {
    void* to = nullptr;
    const cudaError_t status = symbol_address(&to, symbol, offset, bytes);
    return status != cudaSuccess ? status : copy(to, from, bytes, kind);
  });
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t bytes,
                                 std::size_t offset, cudaMemcpyKind kind) {
  return run_call([&] {
    void* from = nullptr;
    const cudaError_t status = symbol_address(&from, symbol, offset, bytes);
    return status != cudaSuccess ? status : copy(to, from, bytes, kind);
  });
}
cudaError_t cudaGetSymbolAddress(void** pointer, const void* symbol) {
  return run_call([&] { return symbol_address(pointer, symbol, 0, 0); });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = device().memory().total_bytes();
  *free = *total - device().memory().used_bytes();
  return device().sticky();
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  const bool known = is_reachable(pointer, 1);
  const bool is_pinned = device().pinned.contains(pointer);
  *attributes = {};
  attributes->type = !known      ? cudaMemoryTypeUnregistered
                     : is_pinned ? cudaMemoryTypeHost
                                 : cudaMemoryTypeDevice;
  attributes->devicePointer = known ? const_cast<void*>(pointer) : nullptr;
  attributes->hostPointer = is_pinned ? const_cast<void*>(pointer) : nullptr;
  return device().sticky();
}

// Pools: there is one, which gives memory back at once.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int /*device*/) {
  *pool = nullptr;
  return device().sticky();
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr /*attribute*/,
                                    void* /*value*/) {
  return device().sticky();
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t /*pool*/, std::size_t /*bytes*/) {
  return device().sticky();
}

// NOLINTEND(readability-identifier-naming)

}  // extern "C"
