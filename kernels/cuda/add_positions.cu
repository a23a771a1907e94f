// Forward: a warp has a row, whose cell it finds by bisection; reads x and writes y once, positions
// come from the L2 cache. Backward: a warp has a position and a tile of columns, and walks the
// cells: every row of dy has one position, so this one pass writes dx, sums the position's gradient
// over the cells in order, and leaves each block's share of the token type's, whose total a second
// kernel makes.
#include "engine/core/cuda.h"
#include "kernels/add_positions.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/column_totals.h"
#include "kernels/cuda/packed_rows.cuh"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = static_cast<int>(kAddPositionsOfBlock);
constexpr unsigned kThreads = kWarps * kWarpSize;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_positions_forward(const __grid_constant__ AddPositionsForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const std::int64_t rank = row - a.offsets[cell_of_row(a.offsets, a.cells, row)];
  const T* __restrict__ x = static_cast<const T*>(a.x) + row * a.columns;
  const T* __restrict__ type = static_cast<const T*>(a.token_type);
  const T* __restrict__ position = static_cast<const T*>(a.positions) + rank * a.columns;
  T* __restrict__ y = static_cast<T*>(a.y) + row * a.columns;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth) {
    C chunk = C::load(x + c);
    const C t = C::load(type + c), p = C::load(position + c);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) chunk.set(i, chunk[i] + t[i] + p[i]);
    chunk.store(y + c);
  }
}

template <class T, int kWidth>
__device__ void put_dx(const AddPositionsBackwardArgs& a, std::int64_t at,
                       const Chunk<T, kWidth>& dy) {
  T* const dx = static_cast<T*>(a.dx.data) + at;
  if (!a.dx.accumulate) return dy.store(dx);
  Chunk<T, kWidth> sum = Chunk<T, kWidth>::load(dx);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum.set(i, sum[i] + dy[i]);
  sum.store(dx);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_positions_backward(const __grid_constant__ AddPositionsBackwardArgs a) {
  constexpr int kBatch = 4;  // cells whose rows are loaded before the first is added
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t position = std::int64_t{blockIdx.x} * kWarps + warp;
  const std::int64_t column = (std::int64_t{blockIdx.y} * kWarpSize + lane) * kWidth;
  const bool has_work = position < a.position_rows && column < a.columns;
  ColumnSums<kWidth> sums;
  for (std::int64_t first = 0; has_work && first < a.cells; first += kBatch) {
    C rows[kBatch] = {};
    std::int64_t at[kBatch];  // -1: the cell has no such position
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      at[i] = -1;
      if (first + i >= a.cells) continue;
      const std::int64_t row = a.offsets[first + i] + position;
      if (row >= a.offsets[first + i + 1]) continue;
      at[i] = row * a.columns + column;
      rows[i] = C::load(static_cast<const T*>(a.dy) + at[i]);
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      if (at[i] < 0) continue;
      sums.add(rows[i]);
      if (a.dx.data) put_dx(a, at[i], rows[i]);
    }
  }
  if (has_work && a.dpositions.data)
    sums.write(static_cast<float*>(a.dpositions.data) + position * a.columns + column,
               a.dpositions.accumulate);
  if (!a.dtoken_type.data) return;
  sums.template fold_warps<kWarps>();
  if (warp == 0 && column < a.columns)
    sums.write(static_cast<float*>(a.workspace) + blockIdx.x * a.columns + column, false);
}

// Only the first type is added anywhere.
void clear_other_types(const AddPositionsBackwardArgs& a, CudaStream& stream) {
  if (!a.dtoken_type.data || a.dtoken_type.accumulate) return;
  cuda_check(cudaMemsetAsync(static_cast<float*>(a.dtoken_type.data) + a.columns, 0,
                             static_cast<std::size_t>((a.types - 1) * a.columns) * sizeof(float),
                             stream.native()));
}

}  // namespace

void run(const AddPositionsForwardArgs& args, CudaStream& stream) {
  if (args.rows == 0 || args.columns == 0) return;
  const auto blocks = static_cast<unsigned>((args.rows + kWarps - 1) / kWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    constexpr int kWide = kElementsOf16Bytes<T>;
    if (in_16_bytes<T>(args.columns, args.x, args.token_type, args.positions, args.y))
      add_positions_forward<T, kWide><<<blocks, kThreads, 0, stream.native()>>>(args);
    else
      add_positions_forward<T, 1><<<blocks, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

void run(const AddPositionsBackwardArgs& args, CudaStream& stream) {
  const std::int64_t blocks = add_positions_blocks(args.position_rows);
  if (args.columns == 0 || blocks == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const auto launch = [&]<int kWidth>() {
      const dim3 grid(static_cast<unsigned>(blocks), column_tiles<kWidth>(args.columns));
      add_positions_backward<T, kWidth><<<grid, kThreads, 0, stream.native()>>>(args);
    };
    if (in_16_bytes<T>(args.columns, args.dy, args.dx.data, args.dpositions.data, args.workspace))
      launch.template operator()<kElementsOf16Bytes<T>>();
    else
      launch.template operator()<1>();
  });
  cuda_check(cudaGetLastError());
  clear_other_types(args, stream);
  add_column_totals(static_cast<const float*>(args.workspace), blocks, args.columns,
                    args.dtoken_type, stream);
}

}  // namespace lodestone::kernels
