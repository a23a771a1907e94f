#pragma once
// Ops that make one element of one element (or of two): a thread has kWidth neighbouring elements,
// moved as one access of up to 16 bytes where every array is aligned to it; the last ones may be
// fewer. Every array is read once and written once.
#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

inline constexpr int kElementThreads = 256;

template <int kWidth, class Op>
__global__ void __launch_bounds__(kElementThreads)
    for_elements(std::int64_t count, const __grid_constant__ Op op) {
  const std::int64_t first = (std::int64_t{blockIdx.x} * kElementThreads + threadIdx.x) * kWidth;
  if (first + kWidth <= count) return op.template at<kWidth>(first);
  for (std::int64_t i = first; i < count; ++i) op.template at<1>(i);
}

// Calls op.at<width>(first) until every one of `count` elements has been in one such call; widths
// are kWide and 1. Without `aligned` only 1.
template <int kWide, class Op>
void launch_elements(std::int64_t count, bool aligned, const Op& op, CudaStream& stream) {
  if (count == 0) return;
  const std::int64_t per_block = std::int64_t{kElementThreads} * (aligned ? kWide : 1);
  const auto blocks = static_cast<unsigned>((count + per_block - 1) / per_block);
  if (aligned)
    for_elements<kWide><<<blocks, kElementThreads, 0, stream.native()>>>(count, op);
  else
    for_elements<1><<<blocks, kElementThreads, 0, stream.native()>>>(count, op);
  cuda_check(cudaGetLastError());
}

// y = F(x).
template <class T, class F>
struct Map {
  const T* x;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t first) const {
    const auto from = Chunk<T, kWidth>::load(x + first);
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = F::of(from[i]);
    put(y + first, false, values);
  }
};

// dx = dy * F(saved), or added to it.
template <class T, class F>
struct MapGradient {
  const T *dy, *saved;
  T* dx;
  bool accumulate;
  template <int kWidth>
  __device__ void at(std::int64_t first) const {
    const auto from = Chunk<T, kWidth>::load(dy + first);
    const auto place = Chunk<T, kWidth>::load(saved + first);
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = from[i] * F::of(place[i]);
    put(dx + first, accumulate, values);
  }
};

template <class F>
void map(const void* x, void* y, std::int64_t count, DType dtype, CudaStream& stream) {
  visit_floating_cuda(dtype, [&]<class T>() {
    launch_elements<kElementsOf16Bytes<T>>(count, aligned_to_16_bytes(x, y),
                                           Map<T, F>{static_cast<const T*>(x), static_cast<T*>(y)},
                                           stream);
  });
}

template <class F>
void map_gradient(const void* dy, const void* saved, const Gradient& dx, std::int64_t count,
                  DType dtype, CudaStream& stream) {
  if (!dx.data) return;
  visit_floating_cuda(dtype, [&]<class T>() {
    launch_elements<kElementsOf16Bytes<T>>(
        count, aligned_to_16_bytes(dy, saved, dx.data),
        MapGradient<T, F>{static_cast<const T*>(dy), static_cast<const T*>(saved),
                          static_cast<T*>(dx.data), dx.accumulate},
        stream);
  });
}

}  // namespace lodestone::kernels
