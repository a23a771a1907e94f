// Forward: a thread moves one chunk of a chosen row; reads and writes each row once. Backward: the
// gradient rows are zeroed unless they are added to, then a thread owns a chunk of columns and adds
// every row of dy to its place in order, so rows chosen twice sum in one order without atomics.
#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/gather_rows.h"

namespace lodestone::kernels {

namespace {

constexpr unsigned kThreads = 256;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    gather_rows_forward(const __grid_constant__ GatherRowsForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const std::int64_t i = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
  if (i >= a.count * a.columns) return;
  const std::int64_t m = i / a.columns, column = i % a.columns;
  C::load(static_cast<const T*>(a.table) + a.rows[m] * a.columns + column)
      .store(static_cast<T*>(a.y) + i);
}

template <class T, class G>
__global__ void __launch_bounds__(kThreads)
    gather_rows_backward(const __grid_constant__ GatherRowsBackwardArgs a) {
  const std::int64_t column = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (column >= a.columns) return;
  const T* dy = static_cast<const T*>(a.dy) + column;
  G* dtable = static_cast<G*>(a.dtable.data) + column;
  for (std::int64_t m = 0; m < a.count; ++m) {
    const std::int32_t row = a.rows[m];
    if (row == a.row_without_gradient) continue;
    G& to = dtable[row * a.columns];
    to = static_cast<G>(static_cast<float>(to) + static_cast<float>(dy[m * a.columns]));
  }
}

unsigned blocks_for(std::int64_t threads) {
  return static_cast<unsigned>((threads + kThreads - 1) / kThreads);
}

}  // namespace

void run(const GatherRowsForwardArgs& args, CudaStream& stream) {
  const std::int64_t elements = args.count * args.columns;
  if (elements == 0) return;
  visit_floating_cuda(args.dtype, [&]<class T>() {
    constexpr int kWide = kElementsOf16Bytes<T>;
    if (in_16_bytes<T>(args.columns, args.table, args.y))
      gather_rows_forward<T, kWide>
          <<<blocks_for(elements / kWide), kThreads, 0, stream.native()>>>(args);
    else
      gather_rows_forward<T, 1><<<blocks_for(elements), kThreads, 0, stream.native()>>>(args);
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
  const unsigned blocks = blocks_for(args.columns);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    if (args.gradient_dtype == args.dtype)
      gather_rows_backward<T, T><<<blocks, kThreads, 0, stream.native()>>>(args);
    else
      gather_rows_backward<T, float><<<blocks, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
