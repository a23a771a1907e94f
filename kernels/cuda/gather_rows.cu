// Forward: a warp has a chosen row; reads and writes each row once. Backward: the table's rows are
// dealt out to warps by their lowest bits. A warp looks through all of `rows`, 32 at a time, and
// adds the rows of dy that are its own, in order: rows may repeat and stand in any order, nothing
// is sorted, and the sums are those of the CPU to the bit. Looking costs count / 32 short steps a
// warp (12 us for 20,000 rows, by arithmetic); moved are dy once and the gradient rows twice, after
// the gradient is zeroed unless it is added to.
#include <algorithm>
#include <bit>

#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/gather_rows.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 8;
constexpr unsigned kThreads = kWarps * kWarpSize;
constexpr std::uint32_t kMostShares = 2048;  // warps that fill a large GPU

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    gather_rows_forward(const __grid_constant__ GatherRowsForwardArgs a) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t m = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (m >= a.count) return;
  const T* __restrict__ from = static_cast<const T*>(a.table) + a.rows[m] * a.columns;
  T* __restrict__ y = static_cast<T*>(a.y) + m * a.columns;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth)
    Chunk<T, kWidth>::load(from + c).store(y + c);
}

// Adds row m of dy to a row of the gradient.
template <class T, class G, int kWidth>
__device__ void add_row(const GatherRowsBackwardArgs& a, std::int64_t m, std::int64_t row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const T* __restrict__ dy = static_cast<const T*>(a.dy) + m * a.columns;
  G* __restrict__ to = static_cast<G*>(a.dtable.data) + row * a.columns;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth) {
    const auto chunk = Chunk<T, kWidth>::load(dy + c);
    auto sum = Chunk<G, kWidth>::load(to + c);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum.set(i, sum[i] + chunk[i]);
    sum.store(to + c);
  }
}

// `shares`: a power of two.
template <class T, class G, int kWidth>
__global__ void __launch_bounds__(kThreads, 6)
    gather_rows_backward(const __grid_constant__ GatherRowsBackwardArgs a, std::uint32_t shares) {
  constexpr int kBatch = 4;  // reads of `rows` under way at once
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::uint32_t share = blockIdx.x * kWarps + threadIdx.x / kWarpSize;
  if (share >= shares) return;
  for (std::int64_t begin = 0; begin < a.count; begin += kBatch * kWarpSize) {
    std::int32_t rows[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const std::int64_t m = begin + i * kWarpSize + lane;
      rows[i] = m < a.count ? a.rows[m] : a.row_without_gradient;
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const bool is_mine = rows[i] != a.row_without_gradient &&
                           (static_cast<std::uint32_t>(rows[i]) & (shares - 1)) == share;
      for (unsigned mine = __ballot_sync(0xffffffffu, is_mine); mine != 0; mine &= mine - 1) {
        const int from = __ffs(static_cast<int>(mine)) - 1;
        add_row<T, G, kWidth>(a, begin + i * kWarpSize + from,
                              __shfl_sync(0xffffffffu, rows[i], from));
      }
    }
  }
}

unsigned blocks_for(std::int64_t warps) {
  return static_cast<unsigned>((warps + kWarps - 1) / kWarps);
}

template <class T, class G>
void launch_backward(const GatherRowsBackwardArgs& a, cudaStream_t stream) {
  constexpr int kWide = std::min(kElementsOf16Bytes<T>, kElementsOf16Bytes<G>);
  const std::uint32_t shares =
      std::min(kMostShares, std::bit_ceil(static_cast<std::uint32_t>(a.table_rows)));
  if (in_16_bytes<G>(a.columns, a.dy, a.dtable.data))
    gather_rows_backward<T, G, kWide><<<blocks_for(shares), kThreads, 0, stream>>>(a, shares);
  else
    gather_rows_backward<T, G, 1><<<blocks_for(shares), kThreads, 0, stream>>>(a, shares);
  cuda_check(cudaGetLastError());
}

}  // namespace

void run(const GatherRowsForwardArgs& args, CudaStream& stream) {
  if (args.count == 0 || args.columns == 0) return;
  const unsigned blocks = blocks_for(args.count);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    constexpr int kWide = kElementsOf16Bytes<T>;
    if (in_16_bytes<T>(args.columns, args.table, args.y))
      gather_rows_forward<T, kWide><<<blocks, kThreads, 0, stream.native()>>>(args);
    else
      gather_rows_forward<T, 1><<<blocks, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

void run(const GatherRowsBackwardArgs& args, CudaStream& stream) {
  if (!args.dtable.accumulate) {
    const auto elements = static_cast<std::size_t>(args.table_rows * args.columns);
    cuda_check(cudaMemsetAsync(args.dtable.data, 0, elements * size_of(args.gradient_dtype),
                               stream.native()));
  }
  if (args.count == 0 || args.columns == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    if (args.gradient_dtype == args.dtype)
      launch_backward<T, T>(args, stream.native());
    else
      launch_backward<T, float>(args, stream.native());
  });
}

}  // namespace lodestone::kernels
