// By kernels/cuda/layer_norm_row.cuh: a warp has a row. Forward: the row's sum is made, rounded and
// kept in registers until it is normalised; x and residual are read once, sum and y written once.
// Backward: one pass over dy and sum writes both gradients and sums dweight and dbias by blocks of
// rows. The mask is made anew each time. Moves 4 elements per element either way (3 forward where
// sum is y). Relies on cols as layer_norm does.
#include "engine/core/cuda.h"
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/layer_norm_row.cuh"
#include "kernels/dropout_residual_layer_norm.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

namespace {

template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kForwardWarps* kWarpSize) dropout_residual_layer_norm_forward(
    const __grid_constant__ DropoutResidualLayerNormForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const LaneColumns<kPerLane, kWidth> lane(a.cols);
  const std::int64_t row = std::int64_t{blockIdx.x} * kForwardWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const T* x = static_cast<const T*>(a.x) + row * a.cols;
  const T* residual = static_cast<const T*>(a.residual) + row * a.cols;
  T* sum = static_cast<T*>(a.sum) + row * a.cols;
  const DropoutRow mask(a.mask, row);
  typename LaneColumns<kPerLane, kWidth>::Values values;
  lane.for_chunks([&](int j, int first) {
    const C xs = C::load(x + first), residuals = C::load(residual + first);
    float factors[kWidth];
    mask.factors(first, factors);
    C rounded;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      rounded.set(i, residuals[i] + factors[i] * xs[i]);
      values[j][i] = rounded[i];
    }
    if (a.sum != a.y) rounded.store(sum + first);
  });
  normalise_row<T>(lane, values, a, row);
}

template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kBackwardWarps* kWarpSize, kBackwardBlocks<kPerLane>)
    dropout_residual_layer_norm_backward(
        const __grid_constant__ DropoutResidualLayerNormBackwardArgs a) {
  const LaneColumns<kPerLane, kWidth> lane(a.cols);
  const auto row = [&](std::int64_t r, ParameterSums<kPerLane, kWidth>& sums) {
    const RowGradient<T> gradient = row_gradient<T>(lane, a, a.sum, r, sums);
    const DropoutRow mask(a.mask, r);
    T* dx = static_cast<T*>(a.dx.data) + r * a.cols;
    T* dresidual = static_cast<T*>(a.dresidual.data) + r * a.cols;
    lane.for_chunks_in_turn([&](int first) {
      float values[kWidth], factors[kWidth];
      gradient.at(first, values);
      if (a.dresidual.data) put(dresidual + first, a.dresidual.accumulate, values);
      if (!a.dx.data) return;
      mask.factors(first, factors);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[i] *= factors[i];
      put(dx + first, a.dx.accumulate, values);
    });
  };
  sum_gradients(lane, a.rows, a.parts, row);
}

}  // namespace

void run(const DropoutResidualLayerNormForwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  const auto blocks = static_cast<unsigned>((args.rows + kForwardWarps - 1) / kForwardWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide =
        in_16_bytes<T>(args.cols, args.x, args.residual, args.weight, args.bias, args.sum, args.y);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      dropout_residual_layer_norm_forward<T, kPerLane, kWidth>
          <<<blocks, kForwardWarps * kWarpSize, 0, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
}

void run(const DropoutResidualLayerNormBackwardArgs& args, CudaStream& stream) {
  const std::int64_t blocks = row_blocks(args.rows);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide = in_16_bytes<T>(args.cols, args.sum, args.dy, args.weight, args.dx.data,
                                     args.dresidual.data, args.parts);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      dropout_residual_layer_norm_backward<T, kPerLane, kWidth>
          <<<static_cast<unsigned>(blocks), kBackwardWarps * kWarpSize, 0, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
  add_parts(args, blocks, stream);
}

}  // namespace lodestone::kernels
