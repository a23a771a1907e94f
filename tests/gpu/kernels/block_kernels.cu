// Reductions, a histogram and a hand-over between warps, right and with one mistake each.
#include <cuda_runtime.h>

#include "tests/gpu/kernels/block_kernels.h"

namespace lodestone::gpu_tests {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float partial_sum(const float* in, int count) {
  float sum = 0;
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count;
       i += static_cast<int>(gridDim.x * blockDim.x))
    sum += in[i];
  return sum;
}

// Leaves the sum of all threads' values in sums[0].
template <BlockBug kBug>
__device__ __forceinline__ void reduce(float* sums, float value) {
  const int thread = static_cast<int>(threadIdx.x);
  if (kBug != BlockBug::kUninitialised || thread != 7)
    sums[kBug == BlockBug::kPastTheArray ? thread + 1 : thread] = value;
  if (kBug != BlockBug::kNoBarrier && (kBug != BlockBug::kHalfSkipsBarrier || thread < 128))
    __syncthreads();
  for (int distance = kThreads / 2; distance > 0; distance /= 2) {
    if (thread < distance) sums[thread] += sums[thread + distance];
    __syncthreads();
  }
}

template <BlockBug kBug>
__global__ void __launch_bounds__(kThreads)
    block_sum_kernel(const float* in, int count, float* sum) {
  __shared__ float sums[kThreads];
  const float value = partial_sum(in, count);
  if (kBug == BlockBug::kReturnsEarly && threadIdx.x >= 200) return;
  reduce<kBug>(sums, value);
  if (threadIdx.x == 0) atomicAdd(sum, sums[0]);
}

template <BlockBug kBug>
__global__ void __launch_bounds__(32) warp_sum_kernel(const float* in, float* sum) {
  __shared__ float sums[64];
  const int lane = static_cast<int>(threadIdx.x);
  sums[lane] = in[lane];
  sums[lane + 32] = 0;
  __syncwarp();
  for (int distance = 16; distance > 0; distance /= 2) {
    const float value = sums[lane] + sums[lane + distance];
    if (kBug != BlockBug::kNoWarpBarrier) __syncwarp();
    sums[lane] = value;
    if (kBug != BlockBug::kNoWarpBarrier) __syncwarp();
  }
  if (lane == 0) *sum = sums[0];
}

template <BlockBug kBug>
__device__ __forceinline__ unsigned take_ticket(unsigned* ticket) {
  unsigned number;
  if (kBug == BlockBug::kOrderedTicket)
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;"
                 : "=r"(number)
                 : "l"(ticket)
                 : "memory");
  else if (kBug == BlockBug::kReleasingTicket)
    asm volatile("atom.release.gpu.global.add.u32 %0, [%1], 1;"
                 : "=r"(number)
                 : "l"(ticket)
                 : "memory");
  else
    number = atomicAdd(ticket, 1u);
  return number;
}

template <BlockBug kBug>
__global__ void __launch_bounds__(kThreads)
    last_block_kernel(const float* in, int count, float* partial, unsigned* ticket, float* sum) {
  constexpr bool kHasFences =
      kBug != BlockBug::kOrderedTicket && kBug != BlockBug::kReleasingTicket;
  __shared__ bool is_last;
  const int thread = static_cast<int>(threadIdx.x);
  // Every thread writes a partial sum of its own.
  partial[blockIdx.x * kThreads + threadIdx.x] = partial_sum(in, count);
  if (kBug == BlockBug::kBlockFence)
    __threadfence_block();
  else if (kHasFences && kBug != BlockBug::kNoFence)
    __threadfence();
  if (kBug != BlockBug::kNoBarrierBeforeTicket) __syncthreads();
  if (thread == 0) is_last = take_ticket<kBug>(ticket) == gridDim.x - 1;
  __syncthreads();
  if (!is_last) return;
  if (kHasFences && kBug != BlockBug::kNoFenceOfReader) __threadfence();
  __shared__ float sums[kThreads];
  float value = 0;
  for (int block = 0; block < static_cast<int>(gridDim.x); ++block)
    value += partial[block * kThreads + thread];
  reduce<BlockBug::kNone>(sums, value);
  if (thread == 0) *sum = sums[0];
}

template <BlockBug kBug>
__global__ void __launch_bounds__(kThreads)
    histogram_kernel(const unsigned char* bytes, int count, unsigned* counts) {
  __shared__ unsigned own[kThreads];
  own[threadIdx.x] = 0;
  __syncthreads();
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count;
       i += static_cast<int>(gridDim.x * blockDim.x)) {
    if (kBug == BlockBug::kPlainIncrement)
      own[bytes[i]]++;
    else
      atomicAdd(&own[bytes[i]], 1u);
  }
  __syncthreads();
  atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
}

__device__ __forceinline__ float over_warp(float value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

template <BlockBug kBug>
__global__ void __launch_bounds__(128)
    centre_kernel(const float* in, int rows, int columns, float* out) {
  const int row = static_cast<int>(blockIdx.x * 4 + threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (row >= rows) return;
  float sum = 0;
  for (int i = lane; i < columns; i += 32) sum += in[row * columns + i];
  if (kBug == BlockBug::kHalfShuffles) {
    if (lane < 16) sum = over_warp(sum);
  } else {
    sum = over_warp(sum);
  }
  const int end = kBug == BlockBug::kWritesPastTheEnd ? columns + 1 : columns;
  for (int i = lane; i < end; i += 32)
    out[row * columns + i] = in[row * columns + i % columns] - sum / static_cast<float>(columns);
}

__global__ void __launch_bounds__(96)
    named_barrier_kernel(bool with_barrier, const float* in, float* out) {
  __shared__ float values[64];
  const int thread = static_cast<int>(threadIdx.x);
  if (thread >= 64) return;  // a warp that no named barrier counts
  // Each warp writes its half and waits only for the other's: barrier 1 tells of the first, 2 of
  // the second.
  values[thread] = in[thread];
  if (thread < 32) {
    if (with_barrier) asm volatile("barrier.cta.arrive 1, 64;" ::: "memory");
    asm volatile("barrier.cta.sync 2, 64;" ::: "memory");
  } else {
    asm volatile("barrier.cta.arrive 2, 64;" ::: "memory");
    if (with_barrier) asm volatile("barrier.cta.sync 1, 64;" ::: "memory");
  }
  __syncwarp();
  out[thread] = values[(thread + 1) % 64];
}

}  // namespace

cudaError_t block_sum(BlockBug bug, const float* in, int count, int blocks, float* sum) {
  const auto launch = [&](auto kernel) {
    kernel<<<static_cast<unsigned>(blocks), kThreads>>>(in, count, sum);
    return cudaGetLastError();
  };
  switch (bug) {
    case BlockBug::kNoBarrier:
      return launch(block_sum_kernel<BlockBug::kNoBarrier>);
    case BlockBug::kPastTheArray:
      return launch(block_sum_kernel<BlockBug::kPastTheArray>);
    case BlockBug::kHalfSkipsBarrier:
      return launch(block_sum_kernel<BlockBug::kHalfSkipsBarrier>);
    case BlockBug::kReturnsEarly:
      return launch(block_sum_kernel<BlockBug::kReturnsEarly>);
    case BlockBug::kUninitialised:
      return launch(block_sum_kernel<BlockBug::kUninitialised>);
    default:
      return launch(block_sum_kernel<BlockBug::kNone>);
  }
}

cudaError_t warp_sum(BlockBug bug, const float* in, float* sum) {
  if (bug == BlockBug::kNoWarpBarrier)
    warp_sum_kernel<BlockBug::kNoWarpBarrier><<<1, 32>>>(in, sum);
  else
    warp_sum_kernel<BlockBug::kNone><<<1, 32>>>(in, sum);
  return cudaGetLastError();
}

cudaError_t last_block_sum(BlockBug bug, const float* in, int count, int blocks, float* partial,
                           unsigned* ticket, float* sum) {
  const auto launch = [&](auto kernel) {
    kernel<<<static_cast<unsigned>(blocks), kThreads>>>(in, count, partial, ticket, sum);
    return cudaGetLastError();
  };
  switch (bug) {
    case BlockBug::kNoFence:
      return launch(last_block_kernel<BlockBug::kNoFence>);
    case BlockBug::kNoFenceOfReader:
      return launch(last_block_kernel<BlockBug::kNoFenceOfReader>);
    case BlockBug::kBlockFence:
      return launch(last_block_kernel<BlockBug::kBlockFence>);
    case BlockBug::kNoBarrierBeforeTicket:
      return launch(last_block_kernel<BlockBug::kNoBarrierBeforeTicket>);
    case BlockBug::kOrderedTicket:
      return launch(last_block_kernel<BlockBug::kOrderedTicket>);
    case BlockBug::kReleasingTicket:
      return launch(last_block_kernel<BlockBug::kReleasingTicket>);
    default:
      return launch(last_block_kernel<BlockBug::kNone>);
  }
}

cudaError_t histogram(BlockBug bug, const unsigned char* bytes, int count, int blocks,
                      unsigned* counts) {
  const auto grid = static_cast<unsigned>(blocks);
  if (bug == BlockBug::kPlainIncrement)
    histogram_kernel<BlockBug::kPlainIncrement><<<grid, kThreads>>>(bytes, count, counts);
  else
    histogram_kernel<BlockBug::kNone><<<grid, kThreads>>>(bytes, count, counts);
  return cudaGetLastError();
}

cudaError_t centre_rows(BlockBug bug, const float* in, int rows, int columns, float* out) {
  const auto grid = static_cast<unsigned>((rows + 3) / 4);
  if (bug == BlockBug::kHalfShuffles)
    centre_kernel<BlockBug::kHalfShuffles><<<grid, 128>>>(in, rows, columns, out);
  else if (bug == BlockBug::kWritesPastTheEnd)
    centre_kernel<BlockBug::kWritesPastTheEnd><<<grid, 128>>>(in, rows, columns, out);
  else
    centre_kernel<BlockBug::kNone><<<grid, 128>>>(in, rows, columns, out);
  return cudaGetLastError();
}

cudaError_t named_barriers(bool with_barrier, const float* in, float* out) {
  named_barrier_kernel<<<1, 96>>>(with_barrier, in, out);
  return cudaGetLastError();
}

}  // namespace lodestone::gpu_tests
