#pragma once
// What the CUDA kernels share on the device: a warp's sum, and several neighbouring elements moved
// as one access. Includes nothing but CUDA's own light headers.
#include <cuda_bf16.h>

#include <cstdint>

namespace lodestone::kernels {

inline constexpr int kWarpSize = 32;

// The sum over the warp's lanes, the same in every lane: a tree, so in one order.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
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

}  // namespace lodestone::kernels
