// A warp has a row, and copies its parts one after another; every element is read once and written
// once, in accesses of 16 bytes where every part has whole ones.
#include <numeric>

#include "engine/core/cuda.h"
#include "kernels/concat_columns.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 4;
constexpr unsigned kThreads = kWarps * kWarpSize;

// to = scale * from, or added to it: `columns` neighbouring elements, by one warp.
template <class T, int kWidth>
__device__ void copy_row(const T* from, T* to, std::int64_t columns, float scale, bool accumulate) {
  constexpr std::int64_t kStep = kWarpSize * kWidth;
#pragma unroll 4
  for (std::int64_t c = threadIdx.x % kWarpSize * kWidth; c < columns; c += kStep) {
    const auto chunk = Chunk<T, kWidth>::load(from + c);
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = scale * chunk[i];
    put(to + c, accumulate, values);
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    concat_columns_forward(const __grid_constant__ ConcatColumnsForwardArgs a, std::int64_t width) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  T* to = static_cast<T*>(a.y) + row * width;
  for (int k = 0; k < a.count; to += a.columns[k], ++k)
    copy_row<T, kWidth>(static_cast<const T*>(a.parts[k]) + row * a.columns[k], to, a.columns[k],
                        a.scales[k], false);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    concat_columns_backward(const __grid_constant__ ConcatColumnsBackwardArgs a,
                            std::int64_t width) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const T* from = static_cast<const T*>(a.dy) + row * width;
  for (int k = 0; k < a.count; from += a.columns[k], ++k)
    if (a.dparts[k].data)
      copy_row<T, kWidth>(from, static_cast<T*>(a.dparts[k].data) + row * a.columns[k],
                          a.columns[k], a.scales[k], a.dparts[k].accumulate);
}

template <class Args>
std::int64_t width_of(const Args& a) {
  return std::accumulate(a.columns, a.columns + a.count, std::int64_t{0});
}

unsigned blocks_for(std::int64_t rows) {
  return static_cast<unsigned>((rows + kWarps - 1) / kWarps);
}

}  // namespace

void run(const ConcatColumnsForwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    bool wide = aligned_to_16_bytes(args.y);
    for (int k = 0; k < args.count; ++k)
      wide = wide && in_16_bytes<T>(args.columns[k], args.parts[k]);
    const auto kernel =
        wide ? concat_columns_forward<T, kElementsOf16Bytes<T>> : concat_columns_forward<T, 1>;
    kernel<<<blocks_for(args.rows), kThreads, 0, stream.native()>>>(args, width_of(args));
  });
  cuda_check(cudaGetLastError());
}

void run(const ConcatColumnsBackwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    bool wide = aligned_to_16_bytes(args.dy);
    for (int k = 0; k < args.count; ++k)
      wide = wide && in_16_bytes<T>(args.columns[k], args.dparts[k].data);
    const auto kernel =
        wide ? concat_columns_backward<T, kElementsOf16Bytes<T>> : concat_columns_backward<T, 1>;
    kernel<<<blocks_for(args.rows), kThreads, 0, stream.native()>>>(args, width_of(args));
  });
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
