// Bulk copies, reductions and boxes of tensors, alone.
#include <cuda_runtime.h>

#include "tests/gpu/kernels/tensor_core.cuh"
#include "tests/gpu/kernels/warpgroup_kernels.h"

namespace lodestone::gpu_tests {
namespace {

constexpr int kCount = 256;  // floats a buffer
constexpr int kBytes = kCount * 4;

template <CopyBug kBug>
__global__ void __launch_bounds__(kCount) doubling_kernel(const float* from, int count, float* to) {
  __shared__ __align__(128) float in[kCount];
  __shared__ __align__(128) float out[kCount];
  __shared__ std::uint64_t loaded;
  const int thread = static_cast<int>(threadIdx.x);
  constexpr int kLoaded = kBug == CopyBug::kOddSize         ? 24
                          : kBug == CopyBug::kPastTheBuffer ? 2 * kBytes
                                                            : kBytes;
  if (kBug != CopyBug::kBarrierNotMade && thread == 0) mbarrier_init(&loaded, 1);
  __syncthreads();
  for (int part = 0; part < count / kCount; ++part) {
    if (thread == 0) {
      mbarrier_expect(&loaded, kLoaded);
      bulk_load(in, from + part * kCount, kLoaded, &loaded);
    }
    mbarrier_wait(&loaded, part & 1);
    out[thread] = 2 * in[thread];
    if (kBug != CopyBug::kNoProxyFence) fence_async_proxy();
    __syncthreads();
    if (thread == 0) {
      bulk_store(to + part * kCount, out, kBytes);
      if (kBug != CopyBug::kNoCommit) bulk_commit();
      if (kBug != CopyBug::kNoReadWait && kBug != CopyBug::kNoWait) bulk_wait_read();
    }
    __syncthreads();
  }
  if (thread == 0 && kBug != CopyBug::kNoWait) bulk_wait();
}

__global__ void __launch_bounds__(128) addition_kernel(const float* from, float* to) {
  __shared__ __align__(128) float values[128];
  const int first = static_cast<int>(blockIdx.x) * 128;
  values[threadIdx.x] = from[first + static_cast<int>(threadIdx.x)];
  fence_async_proxy();
  __syncthreads();
  if (threadIdx.x != 0) return;
  // Two blocks at a time add to the same place: reductions are atomic.
  bulk_add(to + first / 256 * 128, values, sizeof(values));
  bulk_commit();
  bulk_wait();
}

__global__ void __launch_bounds__(32)
    box_kernel(const __grid_constant__ CUtensorMap from, const __grid_constant__ CUtensorMap to,
               int column, int row, bool adds) {
  __shared__ __align__(1024) float box[32 * 8];
  __shared__ std::uint64_t loaded;
  if (threadIdx.x != 0) return;
  mbarrier_init(&loaded, 1);
  mbarrier_expect(&loaded, sizeof(box));
  tensor_load(box, &from, &loaded, column, row);
  mbarrier_wait(&loaded, 0);
  if (adds)
    tensor_add(&to, box, 0, 0);
  else
    tensor_store(&to, box, 0, 0);
  bulk_commit();
  bulk_wait();
}

__global__ void __launch_bounds__(32)
    box_3d_kernel(const __grid_constant__ CUtensorMap from, int column, int row, int plane,
                  std::uint16_t* to) {
  __shared__ __align__(1024) std::uint16_t box[16 * 4 * 2];
  __shared__ std::uint64_t loaded;
  const int lane = static_cast<int>(threadIdx.x);
  if (lane == 0) {
    mbarrier_init(&loaded, 1);
    mbarrier_expect(&loaded, sizeof(box));
    tensor_load(box, &from, &loaded, column, row, plane);
  }
  __syncwarp();
  mbarrier_wait(&loaded, 0);
  for (int i = lane; i < 16 * 4 * 2; i += 32) to[i] = box[i];
}

__device__ __forceinline__ std::uint64_t copies_arrive(std::uint64_t* barrier) {
  std::uint64_t token;
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier))
               : "memory");
  asm volatile("mbarrier.arrive.shared::cta.b64 %0, [%1];"
               : "=l"(token)
               : "r"(shared_address(barrier))
               : "memory");
  return token;
}

__device__ __forceinline__ void wait_for_token(std::uint64_t* barrier, std::uint64_t token) {
  asm volatile(
      "{\n"
      ".reg .pred over;\n"
      "WAIT:\n"
      "mbarrier.test_wait.shared::cta.b64 over, [%0], %1;\n"
      "@!over bra WAIT;\n"
      "}" ::"r"(shared_address(barrier)),
      "l"(token)
      : "memory");
}

__global__ void __launch_bounds__(128)
    arrival_kernel(bool with_wait, const float* from, float* to) {
  __shared__ __align__(16) float values[512];
  __shared__ std::uint64_t copied;
  const int thread = static_cast<int>(threadIdx.x);
  // Of every thread its own arrival and that of its copies.
  if (thread == 0) mbarrier_init(&copied, 256);
  __syncthreads();
  copy_async(shared_address(values + thread * 4), from + thread * 4, true);
  const std::uint64_t token = copies_arrive(&copied);
  if (with_wait) wait_for_token(&copied, token);
  for (int i = 0; i < 4; ++i) to[i * 128 + thread] = values[i * 128 + thread];
}

}  // namespace

cudaError_t bulk_doubling(CopyBug bug, const float* from, int count, float* to) {
  const auto launch = [&](auto kernel) {
    kernel<<<1, kCount>>>(from, count, to);
    return cudaGetLastError();
  };
  switch (bug) {
    case CopyBug::kNone:
      return launch(doubling_kernel<CopyBug::kNone>);
    case CopyBug::kNoProxyFence:
      return launch(doubling_kernel<CopyBug::kNoProxyFence>);
    case CopyBug::kNoReadWait:
      return launch(doubling_kernel<CopyBug::kNoReadWait>);
    case CopyBug::kNoCommit:
      return launch(doubling_kernel<CopyBug::kNoCommit>);
    case CopyBug::kNoWait:
      return launch(doubling_kernel<CopyBug::kNoWait>);
    case CopyBug::kOddSize:
      return launch(doubling_kernel<CopyBug::kOddSize>);
    case CopyBug::kPastTheBuffer:
      return launch(doubling_kernel<CopyBug::kPastTheBuffer>);
    case CopyBug::kBarrierNotMade:
      return launch(doubling_kernel<CopyBug::kBarrierNotMade>);
  }
  return cudaErrorInvalidValue;
}

cudaError_t bulk_addition(const float* from, int count, float* to) {
  addition_kernel<<<static_cast<unsigned>(count / 128), 128>>>(from, to);
  return cudaGetLastError();
}

cudaError_t tensor_box(const CUtensorMap& from, const CUtensorMap& to, int column, int row,
                       bool adds) {
  box_kernel<<<1, 32>>>(from, to, column, row, adds);
  return cudaGetLastError();
}

cudaError_t tensor_box_3d(const CUtensorMap& from, int column, int row, int plane,
                          std::uint16_t* to) {
  box_3d_kernel<<<1, 32>>>(from, column, row, plane, to);
  return cudaGetLastError();
}

cudaError_t tensor_box_without_map(float* to) {
  box_3d_kernel<<<1, 32>>>(CUtensorMap(), 0, 0, 0, reinterpret_cast<std::uint16_t*>(to));
  return cudaGetLastError();
}

cudaError_t copies_to_mbarrier(bool with_wait, const float* from, float* to) {
  arrival_kernel<<<1, 128>>>(with_wait, from, to);
  return cudaGetLastError();
}

}  // namespace lodestone::gpu_tests
