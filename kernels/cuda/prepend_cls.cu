// Forward and dx are copies: a warp has a row, whose cell it finds by bisection; each row is read
// and written once. dcls: a block has one kind and a tile of columns; its warps take the cells in
// turn and fold their sums.
#include "engine/core/cuda.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/packed_rows.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/prepend_cls.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 8;
constexpr unsigned kThreads = kWarps * kWarpSize;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    prepend_cls_forward(const __grid_constant__ PrependClsForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;  // of y
  if (row >= a.rows + a.cells) return;
  const std::int64_t cell = cell_of_row(a.offsets, a.cells, row, 1);
  const bool first = row == a.offsets[cell] + cell;
  const T* __restrict__ from = first ? static_cast<const T*>(a.cls) + a.species[cell] * a.columns
                                     : static_cast<const T*>(a.x) + (row - cell - 1) * a.columns;
  T* __restrict__ y = static_cast<T*>(a.y) + row * a.columns;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth)
    C::load(from + c).store(y + c);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    prepend_cls_backward_x(const __grid_constant__ PrependClsBackwardArgs a) {
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;  // of dx
  if (row >= a.rows) return;
  const std::int64_t cell = cell_of_row(a.offsets, a.cells, row);
  const T* __restrict__ dy = static_cast<const T*>(a.dy) + (row + cell + 1) * a.columns;
  T* __restrict__ dx = static_cast<T*>(a.dx.data) + row * a.columns;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth) {
    C chunk = C::load(dy + c);
    if (a.dx.accumulate) {
      const C before = C::load(dx + c);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) chunk.set(i, before[i] + chunk[i]);
    }
    chunk.store(dx + c);
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    prepend_cls_backward_cls(const __grid_constant__ PrependClsBackwardArgs a) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t kind = blockIdx.x;
  const std::int64_t column = (std::int64_t{blockIdx.y} * kWarpSize + lane) * kWidth;
  const T* const dy = static_cast<const T*>(a.dy) + column;
  ColumnSums<kWidth> sums;
#pragma unroll 4
  for (std::int64_t cell = warp; cell < a.cells; cell += kWarps)
    if (column < a.columns && a.species[cell] == kind)
      sums.add(Chunk<T, kWidth>::load(dy + (a.offsets[cell] + cell) * a.columns));
  sums.template fold_warps<kWarps>();
  if (warp == 0 && column < a.columns)
    sums.write(static_cast<float*>(a.dcls.data) + kind * a.columns + column, a.dcls.accumulate);
}

unsigned blocks_for(std::int64_t rows) {
  return static_cast<unsigned>((rows + kWarps - 1) / kWarps);
}

template <class T, int kWidth>
void launch_backward(const PrependClsBackwardArgs& a, cudaStream_t stream) {
  if (a.dx.data && a.rows > 0)
    prepend_cls_backward_x<T, kWidth><<<blocks_for(a.rows), kThreads, 0, stream>>>(a);
  cuda_check(cudaGetLastError());
  if (!a.dcls.data || a.kinds == 0) return;
  const dim3 grid(static_cast<unsigned>(a.kinds), column_tiles<kWidth>(a.columns));
  prepend_cls_backward_cls<T, kWidth><<<grid, kThreads, 0, stream>>>(a);
  cuda_check(cudaGetLastError());
}

}  // namespace

void run(const PrependClsForwardArgs& args, CudaStream& stream) {
  const std::int64_t rows = args.rows + args.cells;
  if (rows == 0 || args.columns == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    constexpr int kWide = kElementsOf16Bytes<T>;
    if (in_16_bytes<T>(args.columns, args.x, args.cls, args.y))
      prepend_cls_forward<T, kWide><<<blocks_for(rows), kThreads, 0, stream.native()>>>(args);
    else
      prepend_cls_forward<T, 1><<<blocks_for(rows), kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

void run(const PrependClsBackwardArgs& args, CudaStream& stream) {
  if (args.columns == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    if (in_16_bytes<T>(args.columns, args.dy, args.dx.data, args.dcls.data))
      launch_backward<T, kElementsOf16Bytes<T>>(args, stream.native());
    else
      launch_backward<T, 1>(args, stream.native());
  });
}

}  // namespace lodestone::kernels
