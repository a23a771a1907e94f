// A warp-specialised product: one warp drives TMA, four warps run wgmma, two stages of full and
// empty mbarriers. And products whose operands come through st.shared.
#include <cuda_runtime.h>

#include "tests/gpu/kernels/tensor_core.cuh"
#include "tests/gpu/kernels/warpgroup_kernels.h"

namespace lodestone::gpu_tests {
namespace {

constexpr int kTile = 64;
constexpr int kTileBytes = kTile * kTile * 2;
constexpr int kStages = 2;
constexpr int kThreads = 160;

struct Pipeline {
  std::uint64_t full[kStages];
  std::uint64_t empty[kStages];
};

template <WarpgroupBug kBug>
__device__ __forceinline__ void produce(const WarpgroupProductArgs& args, Pipeline& pipeline,
                                        std::uint16_t (*a)[kTile * kTile],
                                        std::uint16_t (*b)[kTile * kTile]) {
  constexpr int kExpected = kBug == WarpgroupBug::kTooFewBytes    ? kTileBytes
                            : kBug == WarpgroupBug::kTooManyBytes ? 2 * kTileBytes + 16
                                                                  : 2 * kTileBytes;
  const int row = static_cast<int>(blockIdx.y) * kTile;
  const int column = static_cast<int>(blockIdx.x) * kTile;
  for (int step = 0; step < args.k / kTile; ++step) {
    const int stage = step % kStages;
    if (kBug != WarpgroupBug::kNoEmptyWait)
      mbarrier_wait(&pipeline.empty[stage], (step / kStages + 1) & 1);
    mbarrier_expect(&pipeline.full[stage], kExpected);
    const int shift = kBug == WarpgroupBug::kMisalignedStage ? 32 : 0;
    tensor_load(a[stage] + shift, &args.a, &pipeline.full[stage], step * kTile, row);
    tensor_load(b[stage], &args.b, &pipeline.full[stage], step * kTile, column);
  }
}

template <WarpgroupBug kBug>
__device__ __forceinline__ std::uint64_t descriptor_of(const void* operand) {
  const std::uint64_t descriptor = k_major_descriptor(operand);
  return kBug == WarpgroupBug::kPlainDescriptor ? descriptor & ~(3ull << 62) : descriptor;
}

template <WarpgroupBug kBug>
__device__ __forceinline__ void consume(const WarpgroupProductArgs& args, Pipeline& pipeline,
                                        std::uint16_t (*a)[kTile * kTile],
                                        std::uint16_t (*b)[kTile * kTile], float (&sums)[32]) {
  const bool is_leader = threadIdx.x % 32 == 0;
  for (int step = 0; step < args.k / kTile; ++step) {
    const int stage = step % kStages;
    const int parity = (step / kStages + (kBug == WarpgroupBug::kWrongParity ? 1 : 0)) & 1;
    if (kBug != WarpgroupBug::kNoFullWait) mbarrier_wait(&pipeline.full[stage], parity);
    if (kBug != WarpgroupBug::kNoFence) wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (kBug != WarpgroupBug::kThreeWarps || threadIdx.x < 96)
        wgmma_64x64(sums, descriptor_of<kBug>(a[stage] + k * 16),
                    descriptor_of<kBug>(b[stage] + k * 16), step != 0 || k != 0);
    if (kBug != WarpgroupBug::kNoCommit) wgmma_commit();
    if (kBug == WarpgroupBug::kEarlyRelease && is_leader) mbarrier_arrive(&pipeline.empty[stage]);
    wgmma_wait();
    if (kBug != WarpgroupBug::kEarlyRelease && is_leader) mbarrier_arrive(&pipeline.empty[stage]);
  }
}

template <WarpgroupBug kBug>
__global__ void __launch_bounds__(kThreads)
    product_kernel(const __grid_constant__ WarpgroupProductArgs args) {
  __shared__ __align__(1024) std::uint16_t a[kStages][kTile * kTile];
  __shared__ __align__(1024) std::uint16_t b[kStages][kTile * kTile];
  __shared__ Pipeline pipeline;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      mbarrier_init(&pipeline.full[stage], 1);
      mbarrier_init(&pipeline.empty[stage], kBug == WarpgroupBug::kWrongCount ? 1 : 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  if (kBug != WarpgroupBug::kNoBarrierAfterInit) __syncthreads();
  if (warp == 4) {
    if (lane == 0) produce<kBug>(args, pipeline, a, b);
    return;
  }
  float sums[32];
  consume<kBug>(args, pipeline, a, b, sums);
  const int row = static_cast<int>(blockIdx.y) * kTile + warp * 16 + lane / 4;
  const int column = static_cast<int>(blockIdx.x) * kTile + lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < 32; ++i)
    args.c[(row + i / 2 % 2 * 8) * args.n + column + i / 4 * 8 + i % 2] = sums[i];
}

template <WarpgroupBug kBug>
cudaError_t launch(const WarpgroupProductArgs& args) {
  const dim3 grid(static_cast<unsigned>(args.n / kTile), static_cast<unsigned>(args.m / kTile));
  product_kernel<kBug><<<grid, kThreads>>>(args);
  return cudaGetLastError();
}

// Without a swizzle an MN-major operand is made of 8 x 8 core matrices: 8 elements of m or n in 16
// bytes, 8 rows of k. Core matrices follow each other along m or n (stride offset 128 bytes), then
// along k.
__device__ __forceinline__ int mn_major_place(int mn, int k, int extent) {
  return mn / 8 * 64 + k / 8 * extent * 8 + k % 8 * 8 + mn % 8;
}
__device__ __forceinline__ std::uint64_t plain_descriptor(const void* operand, int leading,
                                                          int stride) {
  return static_cast<std::uint64_t>((shared_address(operand) & 0x3ffff) >> 4) |
         static_cast<std::uint64_t>(leading >> 4) << 16 |
         static_cast<std::uint64_t>(stride >> 4) << 32;
}

template <GenericBug kBug, bool kInRegisters>
__global__ void __launch_bounds__(128)
    generic_kernel(const std::uint16_t* a, const std::uint16_t* b, float* c) {
  __shared__ __align__(128) std::uint16_t a_tile[64 * 16];
  __shared__ __align__(128) std::uint16_t b_tile[16 * 32];
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int first_row = thread / 32 * 16 + lane / 4;
  for (int i = thread; i < 64 * 16; i += 128) a_tile[mn_major_place(i / 16, i % 16, 64)] = a[i];
  for (int i = thread; i < 16 * 32; i += 128) b_tile[mn_major_place(i % 32, i / 32, 32)] = b[i];
  if (kBug != GenericBug::kNoProxyFence) fence_async_proxy();
  __syncthreads();
  float sums[16];
  const std::uint64_t b_descriptor = plain_descriptor(b_tile, 32 * 8 * 2, 128);
  wgmma_fence();
  if (kInRegisters) {
    std::uint32_t words[4];
    for (int i = 0; i < 4; ++i)
      words[i] = *reinterpret_cast<const std::uint32_t*>(a + (first_row + i % 2 * 8) * 16 +
                                                         i / 2 * 8 + lane % 4 * 2);
    wgmma_64x32(sums, words, b_descriptor, false);
  } else {
    wgmma_64x32(sums, plain_descriptor(a_tile, 64 * 8 * 2, 128), b_descriptor, false);
  }
  wgmma_commit();
  wgmma_wait();
#pragma unroll
  for (int i = 0; i < 16; ++i)
    c[(first_row + i / 2 % 2 * 8) * 32 + lane % 4 * 2 + i / 4 * 8 + i % 2] = sums[i];
}

// K-major without a swizzle: core matrices of 8 rows of 16 bytes; along k first (leading offset),
// then rows.
__global__ void __launch_bounds__(128) tf32_kernel(const float* a, const float* b, float* c) {
  __shared__ __align__(128) float a_tile[64 * 8];
  __shared__ __align__(128) float b_tile[16 * 8];
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const auto place = [](int row, int k) { return row / 8 * 64 + k / 4 * 32 + row % 8 * 4 + k % 4; };
  for (int i = thread; i < 64 * 8; i += 128) a_tile[place(i / 8, i % 8)] = a[i];
  for (int i = thread; i < 16 * 8; i += 128) b_tile[place(i / 8, i % 8)] = b[i];
  fence_async_proxy();
  __syncthreads();
  float sums[8];
  wgmma_fence();
  wgmma_64x16_tf32(sums, plain_descriptor(a_tile, 128, 256), plain_descriptor(b_tile, 128, 256),
                   false);
  wgmma_commit();
  wgmma_wait();
#pragma unroll
  for (int i = 0; i < 8; ++i)
    c[(thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8) * 16 + lane % 4 * 2 + i / 4 * 8 + i % 2] =
        sums[i];
}

// Tiles of 64 x 64 as TMA lays them with each swizzle: boxes of 64 rows of `kSpan` bytes, one after
// the other. a is K-major, b is N-major.
template <int kSpan>
__global__ void __launch_bounds__(128)
    swizzled_kernel(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                    float* c) {
  constexpr int kElements = kSpan / 2;
  constexpr int kBoxBytes = 64 * kSpan;
  constexpr std::uint64_t kSwizzle = kSpan == 128 ? 1 : kSpan == 64 ? 2 : 3;
  __shared__ __align__(1024) unsigned char a_tile[64 * 128];
  __shared__ __align__(1024) unsigned char b_tile[64 * 128];
  __shared__ std::uint64_t loaded;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    mbarrier_init(&loaded, 1);
    mbarrier_expect(&loaded, sizeof(a_tile) + sizeof(b_tile));
    for (int box = 0; box < 128 / kSpan; ++box) {
      tensor_load(a_tile + box * kBoxBytes, &a, &loaded, box * kElements, 0);
      tensor_load(b_tile + box * kBoxBytes, &b, &loaded, box * kElements, 0);
    }
  }
  __syncthreads();
  mbarrier_wait(&loaded, 0);
  float sums[32];
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < 64; k += 16) {
    const unsigned char* const a_start = a_tile + k / kElements * kBoxBytes + k % kElements * 2;
    wgmma_64x64_rows(sums, plain_descriptor(a_start, 16, 8 * kSpan) | kSwizzle << 62,
                     plain_descriptor(b_tile + k * kSpan, kBoxBytes, 8 * kSpan) | kSwizzle << 62,
                     k != 0);
  }
  wgmma_commit();
  wgmma_wait();
  const int row = thread / 32 * 16 + thread % 32 / 4;
#pragma unroll
  for (int i = 0; i < 32; ++i)
    c[(row + i / 2 % 2 * 8) * 64 + thread % 4 * 2 + i / 4 * 8 + i % 2] = sums[i];
}

}  // namespace

cudaError_t swizzled_product(int span, const CUtensorMap& a, const CUtensorMap& b, float* c) {
  if (span == 128)
    swizzled_kernel<128><<<1, 128>>>(a, b, c);
  else if (span == 64)
    swizzled_kernel<64><<<1, 128>>>(a, b, c);
  else
    swizzled_kernel<32><<<1, 128>>>(a, b, c);
  return cudaGetLastError();
}

cudaError_t warpgroup_product(WarpgroupBug bug, const WarpgroupProductArgs& args) {
  switch (bug) {
    case WarpgroupBug::kNone:
      return launch<WarpgroupBug::kNone>(args);
    case WarpgroupBug::kNoEmptyWait:
      return launch<WarpgroupBug::kNoEmptyWait>(args);
    case WarpgroupBug::kNoFullWait:
      return launch<WarpgroupBug::kNoFullWait>(args);
    case WarpgroupBug::kEarlyRelease:
      return launch<WarpgroupBug::kEarlyRelease>(args);
    case WarpgroupBug::kNoBarrierAfterInit:
      return launch<WarpgroupBug::kNoBarrierAfterInit>(args);
    case WarpgroupBug::kTooFewBytes:
      return launch<WarpgroupBug::kTooFewBytes>(args);
    case WarpgroupBug::kTooManyBytes:
      return launch<WarpgroupBug::kTooManyBytes>(args);
    case WarpgroupBug::kWrongParity:
      return launch<WarpgroupBug::kWrongParity>(args);
    case WarpgroupBug::kWrongCount:
      return launch<WarpgroupBug::kWrongCount>(args);
    case WarpgroupBug::kNoFence:
      return launch<WarpgroupBug::kNoFence>(args);
    case WarpgroupBug::kNoCommit:
      return launch<WarpgroupBug::kNoCommit>(args);
    case WarpgroupBug::kThreeWarps:
      return launch<WarpgroupBug::kThreeWarps>(args);
    case WarpgroupBug::kMisalignedStage:
      return launch<WarpgroupBug::kMisalignedStage>(args);
    case WarpgroupBug::kPlainDescriptor:
      return launch<WarpgroupBug::kPlainDescriptor>(args);
  }
  return cudaErrorInvalidValue;
}

cudaError_t generic_product(GenericBug bug, bool a_in_registers, const std::uint16_t* a,
                            const std::uint16_t* b, float* c) {
  if (bug == GenericBug::kNoProxyFence)
    generic_kernel<GenericBug::kNoProxyFence, false><<<1, 128>>>(a, b, c);
  else if (a_in_registers)
    generic_kernel<GenericBug::kNone, true><<<1, 128>>>(a, b, c);
  else
    generic_kernel<GenericBug::kNone, false><<<1, 128>>>(a, b, c);
  return cudaGetLastError();
}

cudaError_t generic_product_tf32(const float* a, const float* b, float* c) {
  tf32_kernel<<<1, 128>>>(a, b, c);
  return cudaGetLastError();
}

}  // namespace lodestone::gpu_tests
