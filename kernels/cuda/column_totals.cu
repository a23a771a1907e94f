// A block has a tile of columns; its warps take the rows in turn and fold their sums. Reads parts
// once: a few hundred rows that the kernel before left in the L2 cache.
#include "engine/core/cuda.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/column_totals.h"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 8;
constexpr unsigned kThreads = kWarps * kWarpSize;

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    column_totals(const float* __restrict__ parts, std::int64_t rows, std::int64_t columns,
                  Gradient to) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t column = (std::int64_t{blockIdx.x} * kWarpSize + lane) * kWidth;
  ColumnSums<kWidth> sums;
  if (column < columns) {
#pragma unroll 4
    for (std::int64_t row = warp; row < rows; row += kWarps)
      sums.add(Chunk<float, kWidth>::load(parts + row * columns + column));
  }
  sums.template fold_warps<kWarps>();
  if (warp == 0 && column < columns)
    sums.write(static_cast<float*>(to.data) + column, to.accumulate);
}

}  // namespace

void add_column_totals(const float* parts, std::int64_t rows, std::int64_t columns,
                       const Gradient& to, CudaStream& stream) {
  if (!to.data || columns == 0) return;
  const auto launch = [&]<int kWidth>() {
    column_totals<kWidth>
        <<<column_tiles<kWidth>(columns), kThreads, 0, stream.native()>>>(parts, rows, columns, to);
  };
  if (in_16_bytes<float>(columns, parts, to.data))
    launch.template operator()<4>();
  else
    launch.template operator()<1>();
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
