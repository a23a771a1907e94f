// A warp has a row at a time, each lane the same columns of every row. Forward: the row stays in
// registers between its mean, its variance (a second pass, for eps may be 1e-12) and its result, so
// x is read once and y written once. Backward: a block has a run of rows; a lane sums dweight and
// dbias of its columns in registers over the rows of its warp, the block's warps add theirs in
// order, and a second kernel adds the blocks in order: no atomics, the same bits every time. Moves
// 2 and 3 elements per element of x. Relies on cols <= 2048 where rows are aligned to 16 bytes,
// 1024 elsewhere.
#include "engine/core/cuda.h"
#include "kernels/cuda/layer_norm_row.cuh"
#include "kernels/layer_norm.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

namespace {

template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kForwardWarps* kWarpSize)
    layer_norm_forward(const __grid_constant__ LayerNormForwardArgs a) {
  const LaneColumns<kPerLane, kWidth> lane(a.cols);
  const std::int64_t row = std::int64_t{blockIdx.x} * kForwardWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const T* x = static_cast<const T*>(a.x) + row * a.cols;
  typename LaneColumns<kPerLane, kWidth>::Values values;
  lane.for_chunks([&](int j, int first) {
    const auto chunk = Chunk<T, kWidth>::load(x + first);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[j][i] = chunk[i];
  });
  normalise_row<T>(lane, values, a, row);
}

template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kBackwardWarps* kWarpSize, kBackwardBlocks<kPerLane>)
    layer_norm_backward(const __grid_constant__ LayerNormBackwardArgs a) {
  const LaneColumns<kPerLane, kWidth> lane(a.cols);
  const auto row = [&](std::int64_t r, ParameterSums<kPerLane, kWidth>& sums) {
    const RowGradient<T> gradient = row_gradient<T>(lane, a, a.x, r, sums);
    if (!a.dx.data) return;
    T* dx = static_cast<T*>(a.dx.data) + r * a.cols;
    lane.for_chunks_in_turn([&](int first) {
      float values[kWidth];
      gradient.at(first, values);
      put(dx + first, a.dx.accumulate, values);
    });
  };
  sum_gradients(lane, a.rows, a.parts, row);
}

}  // namespace

void run(const LayerNormForwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  const auto blocks = static_cast<unsigned>((args.rows + kForwardWarps - 1) / kForwardWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide = in_16_bytes<T>(args.cols, args.x, args.weight, args.bias, args.y);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      layer_norm_forward<T, kPerLane, kWidth>
          <<<blocks, kForwardWarps * kWarpSize, 0, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
}

void run(const LayerNormBackwardArgs& args, CudaStream& stream) {
  const std::int64_t blocks = row_blocks(args.rows);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide =
        in_16_bytes<T>(args.cols, args.x, args.dy, args.weight, args.dx.data, args.parts);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      layer_norm_backward<T, kPerLane, kWidth>
          <<<static_cast<unsigned>(blocks), kBackwardWarps * kWarpSize, 0, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
  add_parts(args, blocks, stream);
}

}  // namespace lodestone::kernels
