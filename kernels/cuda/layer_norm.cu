// A warp has a row at a time, each lane the same columns of every row. Forward: the row stays in
// registers between its mean, its variance (a second pass, for eps may be 1e-12) and its result, so
// x is read once and y written once. Backward: a block has a run of rows; a lane sums dweight and
// dbias of its columns in registers over the rows of its warp, the block's warps add theirs in
// order, and a second kernel adds the blocks in order: no atomics, the same bits every time. Moves
// 2 and 3 elements per element of x. Relies on cols <= 2048 where rows are aligned to 16 bytes,
// 1024 elsewhere.
#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/layer_norm.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 4;
constexpr unsigned kThreads = kWarps * kWarpSize;

// The columns of one lane: chunk j begins at column(j). kPerLane elements in chunks of kWidth.
template <int kPerLane, int kWidth>
struct LaneColumns {
  static constexpr int kChunks = kPerLane / kWidth;
  int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  __device__ int column(int chunk) const { return (chunk * kWarpSize + lane) * kWidth; }
};

template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kThreads)
    layer_norm_forward(const __grid_constant__ LayerNormForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const LaneColumns<kPerLane, kWidth> lane;
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const int cols = static_cast<int>(a.cols);
  const T* x = static_cast<const T*>(a.x) + row * a.cols;
  float values[lane.kChunks][kWidth];
  float sum = 0;
#pragma unroll
  for (int j = 0; j < lane.kChunks; ++j) {
    if (lane.column(j) >= cols) continue;
    const C chunk = C::load(x + lane.column(j));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum += values[j][i] = chunk[i];
  }
  const float mean = warp_sum(sum) / static_cast<float>(cols);
  float squares = 0;
#pragma unroll
  for (int j = 0; j < lane.kChunks; ++j) {
    if (lane.column(j) >= cols) continue;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) squares += (values[j][i] - mean) * (values[j][i] - mean);
  }
  const float rstd = 1 / sqrtf(warp_sum(squares) / static_cast<float>(cols) + a.eps);
  T* y = static_cast<T*>(a.y) + row * a.cols;
#pragma unroll
  for (int j = 0; j < lane.kChunks; ++j) {
    const int first = lane.column(j);
    if (first >= cols) continue;
    const C weight = C::load(static_cast<const T*>(a.weight) + first);
    const C bias = C::load(static_cast<const T*>(a.bias) + first);
    C result;
#pragma unroll
    for (int i = 0; i < kWidth; ++i)
      result.set(i, (values[j][i] - mean) * rstd * weight[i] + bias[i]);
    result.store(y + first);
  }
  if (lane.lane != 0) return;
  static_cast<float*>(a.mean)[row] = mean;
  static_cast<float*>(a.rstd)[row] = rstd;
}

// One row's dx, and its share of the sums.
template <class T, int kPerLane, int kWidth>
__device__ void row_backward(const LayerNormBackwardArgs& a, std::int64_t row,
                             const LaneColumns<kPerLane, kWidth>& lane, float* dweight,
                             float* dbias) {
  using C = Chunk<T, kWidth>;
  const int cols = static_cast<int>(a.cols);
  const T* x = static_cast<const T*>(a.x) + row * a.cols;
  const T* dy = static_cast<const T*>(a.dy) + row * a.cols;
  const auto* weight = static_cast<const T*>(a.weight);
  const float mean = static_cast<const float*>(a.mean)[row];
  const float rstd = static_cast<const float*>(a.rstd)[row];
  float sum = 0, sum_normal = 0;
#pragma unroll
  for (int j = 0; j < lane.kChunks; ++j) {
    if (lane.column(j) >= cols) continue;
    const C xs = C::load(x + lane.column(j)), dys = C::load(dy + lane.column(j));
    const C w = C::load(weight + lane.column(j));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float normal = (xs[i] - mean) * rstd, g = dys[i] * w[i];
      sum += g;
      sum_normal += g * normal;
      dweight[j * kWidth + i] += dys[i] * normal;
      dbias[j * kWidth + i] += dys[i];
    }
  }
  if (!a.dx.data) return;
  const float mean_g = warp_sum(sum) / static_cast<float>(cols);
  const float mean_normal = warp_sum(sum_normal) / static_cast<float>(cols);
  T* dx = static_cast<T*>(a.dx.data) + row * a.cols;
#pragma unroll
  for (int j = 0; j < lane.kChunks; ++j) {
    const int first = lane.column(j);
    if (first >= cols) continue;
    const C xs = C::load(x + first), dys = C::load(dy + first), w = C::load(weight + first);
    C result = a.dx.accumulate ? C::load(dx + first) : C{};
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float normal = (xs[i] - mean) * rstd;
      const float gradient = rstd * (dys[i] * w[i] - mean_g - normal * mean_normal);
      result.set(i, a.dx.accumulate ? result[i] + gradient : gradient);
    }
    result.store(dx + first);
  }
}

// Block b has rows [rows b / blocks, rows (b + 1) / blocks) and writes parts[b].
template <class T, int kPerLane, int kWidth>
__global__ void __launch_bounds__(kThreads)
    layer_norm_backward(const __grid_constant__ LayerNormBackwardArgs a) {
  extern __shared__ float sums[];  // [2, cols]
  const LaneColumns<kPerLane, kWidth> lane;
  const int cols = static_cast<int>(a.cols), warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t blocks = gridDim.x, block = blockIdx.x;
  float dweight[kPerLane] = {}, dbias[kPerLane] = {};
  for (std::int64_t row = a.rows * block / blocks + warp; row < a.rows * (block + 1) / blocks;
       row += kWarps)
    row_backward<T>(a, row, lane, dweight, dbias);
  for (int turn = 0; turn < kWarps; ++turn) {
    if (turn > 0) __syncthreads();
    if (turn != warp) continue;
#pragma unroll
    for (int e = 0; e < kPerLane; ++e) {
      const int c = lane.column(e / kWidth) + e % kWidth;
      if (c >= cols) continue;
      sums[c] = turn == 0 ? dweight[e] : sums[c] + dweight[e];
      sums[cols + c] = turn == 0 ? dbias[e] : sums[cols + c] + dbias[e];
    }
  }
  __syncthreads();
  float* parts = static_cast<float*>(a.parts) + block * 2 * cols;
  for (int c = static_cast<int>(threadIdx.x); c < 2 * cols; c += static_cast<int>(kThreads))
    parts[c] = sums[c];
}

__device__ void put(const Gradient& gradient, std::int64_t i, float value) {
  auto* data = static_cast<float*>(gradient.data);
  if (data) data[i] = gradient.accumulate ? data[i] + value : value;
}

// dweight and dbias: a thread per column of either.
__global__ void __launch_bounds__(kThreads)
    layer_norm_sums(const __grid_constant__ LayerNormBackwardArgs a, int blocks) {
  const std::int64_t c = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (c >= 2 * a.cols) return;
  float sum = 0;
  for (int block = 0; block < blocks; ++block)
    sum += static_cast<const float*>(a.parts)[block * 2 * a.cols + c];
  put(c < a.cols ? a.dweight : a.dbias, c % a.cols, sum);
}

// Calls launch.operator()<kPerLane, kWidth>() for the smallest kernel that has room for a row.
template <class T, class Launch>
void with_columns(std::int64_t cols, bool wide, const Launch& launch) {
  constexpr int kWide = kElementsOf16Bytes<T>;
  const std::int64_t per_lane = (cols + kWarpSize - 1) / kWarpSize;
  if (wide && per_lane <= 8) return launch.template operator()<8, kWide>();
  if (wide && per_lane <= 24) return launch.template operator()<24, kWide>();
  if (wide && per_lane <= 64) return launch.template operator()<64, kWide>();
  if (per_lane <= 4) return launch.template operator()<4, 1>();
  if (per_lane <= 32) return launch.template operator()<32, 1>();
  throw_error(ErrorKind::kInvalidArgument,
              "layer_norm: rows of " + std::to_string(cols) + " columns are too long for CUDA");
}

}  // namespace

void run(const LayerNormForwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  const auto blocks = static_cast<unsigned>((args.rows + kWarps - 1) / kWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide = in_16_bytes<T>(args.cols, args.x, args.weight, args.bias, args.y);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      layer_norm_forward<T, kPerLane, kWidth><<<blocks, kThreads, 0, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
}

void run(const LayerNormBackwardArgs& args, CudaStream& stream) {
  const auto blocks = static_cast<unsigned>(row_blocks(args.rows));
  const std::size_t shared = 2 * sizeof(float) * static_cast<std::size_t>(args.cols);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const bool wide = in_16_bytes<T>(args.cols, args.x, args.dy, args.weight, args.dx.data);
    with_columns<T>(args.cols, wide, [&]<int kPerLane, int kWidth>() {
      layer_norm_backward<T, kPerLane, kWidth><<<blocks, kThreads, shared, stream.native()>>>(args);
    });
  });
  cuda_check(cudaGetLastError());
  if (!args.dweight.data && !args.dbias.data) return;
  const auto columns = static_cast<unsigned>(2 * args.cols);
  layer_norm_sums<<<(columns + kThreads - 1) / kThreads, kThreads, 0, stream.native()>>>(
      args, static_cast<int>(blocks));
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
