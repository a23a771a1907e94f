#pragma once
// What the CUDA kernels share on the device: sums of a warp and of a block, and several
// neighbouring elements moved as one access. Includes nothing but CUDA's own light headers.
#include <cuda_bf16.h>

#include <cstdint>

namespace lodestone::kernels {

inline constexpr int kWarpSize = 32;

// The sum over the warp's lanes, the same in every lane: a tree, so in one order.
template <class Number>
__device__ Number warp_sum(Number value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

// The sum of f(i), i in [0, count), over a block of kThreads: the same in every thread, in f64 and
// in one order.
template <int kThreads, class F>
__device__ double block_total(std::int64_t count, const F& f) {
  __shared__ double warps[kThreads / kWarpSize];
  double sum = 0;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) sum += f(i);
  sum = warp_sum(sum);
  if (threadIdx.x % kWarpSize == 0) warps[threadIdx.x / kWarpSize] = sum;
  __syncthreads();
  double total = 0;
  for (const double warp : warps) total += warp;
  return total;
}

// The elements of T that one 16-byte access moves.
template <class T>
inline constexpr int kElementsOf16Bytes = 16 / static_cast<int>(sizeof(T));

// kWidth neighbouring elements, aligned to their size together; arithmetic is in float.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Chunk {
  T elements[kWidth];

  __device__ static Chunk load(const T* from) { return *reinterpret_cast<const Chunk*>(from); }
  __device__ void store(T* to) const { *reinterpret_cast<Chunk*>(to) = *this; }
  __device__ float operator[](int i) const { return static_cast<float>(elements[i]); }
  __device__ void set(int i, float value) { elements[i] = static_cast<T>(value); }
};

// Sets kWidth neighbouring elements, or adds to them.
template <class T, int kWidth>
__device__ void put(T* to, bool accumulate, const float (&values)[kWidth]) {
  Chunk<T, kWidth> result;
  if (accumulate) result = Chunk<T, kWidth>::load(to);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) result.set(i, accumulate ? result[i] + values[i] : values[i]);
  result.store(to);
}

}  // namespace lodestone::kernels
