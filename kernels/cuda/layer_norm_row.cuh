#pragma once
// Layer norm of one row by one warp, and its gradient; sums over rows by blocks. Shared by
// layer_norm and dropout_residual_layer_norm.
#include <string>

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/column_totals.h"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

// Warps of a block, each with a row at a time.
inline constexpr int kForwardWarps = 4, kBackwardWarps = 8;
// Backward blocks that a multiprocessor must have registers for.
template <int kPerLane>
inline constexpr int kBackwardBlocks = kPerLane <= 32 ? 2 : 1;

// The columns of a row that a lane has, the same ones of every row: chunks of kWidth, room for
// kPerLane columns.
template <int kPerLane, int kWidth>
struct LaneColumns {
  static constexpr int kChunks = kPerLane / kWidth;
  using Values = float[kChunks][kWidth];
  int cols;
  int lane = static_cast<int>(threadIdx.x) % kWarpSize;

  __device__ explicit LaneColumns(std::int64_t columns) : cols(static_cast<int>(columns)) {}
  __device__ int first_of(int chunk) const { return (chunk * kWarpSize + lane) * kWidth; }
  // Calls f(j, first column) for every chunk j that the row has.
  template <class F>
  __device__ void for_chunks(const F& f) const {
#pragma unroll
    for (int j = 0; j < kChunks; ++j)
      if (first_of(j) < cols) f(j, first_of(j));
  }
  // The same with f(first column), for what keeps nothing in registers: many chunks at once would
  // only take registers away.
  template <class F>
  __device__ void for_chunks_in_turn(const F& f) const {
#pragma unroll(kWidth > 1 && kChunks <= 6 ? kChunks : 1)
    for (int j = 0; j < kChunks; ++j)
      if (first_of(j) < cols) f(first_of(j));
  }
};

struct RowStatistics {
  float mean, rstd;
};

template <int kPerLane, int kWidth>
__device__ RowStatistics statistics_of(const LaneColumns<kPerLane, kWidth>& lane,
                                       const typename LaneColumns<kPerLane, kWidth>::Values& values,
                                       float eps) {
  const auto cols = static_cast<float>(lane.cols);
  float sum = 0, squares = 0;
  lane.for_chunks([&](int j, int) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum += values[j][i];
  });
  const float mean = warp_sum(sum) / cols;
  lane.for_chunks([&](int j, int) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) squares += (values[j][i] - mean) * (values[j][i] - mean);
  });
  return {mean, 1 / sqrtf(warp_sum(squares) / cols + eps)};
}

// Writes the normalised row, and its statistics; Args of either op.
template <class T, int kPerLane, int kWidth, class Args>
__device__ void normalise_row(const LaneColumns<kPerLane, kWidth>& lane,
                              const typename LaneColumns<kPerLane, kWidth>::Values& values,
                              const Args& a, std::int64_t row) {
  using C = Chunk<T, kWidth>;
  const RowStatistics s = statistics_of(lane, values, a.eps);
  T* y = static_cast<T*>(a.y) + row * a.cols;
  lane.for_chunks([&](int j, int first) {
    const C weight = C::load(static_cast<const T*>(a.weight) + first);
    const C bias = C::load(static_cast<const T*>(a.bias) + first);
    C result;
#pragma unroll
    for (int i = 0; i < kWidth; ++i)
      result.set(i, (values[j][i] - s.mean) * s.rstd * weight[i] + bias[i]);
    result.store(y + first);
  });
  if (lane.lane != 0) return;
  static_cast<float*>(a.mean)[row] = s.mean;
  static_cast<float*>(a.rstd)[row] = s.rstd;
}

// The gradient of a row's input, chunk by chunk.
template <class T>
struct RowGradient {
  const T *dy, *x, *weight;
  RowStatistics statistics;
  float mean, slope;  // means of dy * weight, and of that times the normalised x

  template <int kWidth>
  __device__ void at(int first, float (&gradient)[kWidth]) const {
    using C = Chunk<T, kWidth>;
    const C xs = C::load(x + first), dys = C::load(dy + first), w = C::load(weight + first);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float normal = (xs[i] - statistics.mean) * statistics.rstd;
      gradient[i] = statistics.rstd * (dys[i] * w[i] - mean - normal * slope);
    }
  }
};

// Shares of dweight and dbias: a lane's columns, in registers.
template <int kPerLane, int kWidth>
struct ParameterSums {
  ColumnSums<kWidth> weight[kPerLane / kWidth], bias[kPerLane / kWidth];
};

// Of row `row` of x, whose statistics and dy are in `a`; adds the row's share of the sums.
template <class T, int kPerLane, int kWidth, class Args>
__device__ RowGradient<T> row_gradient(const LaneColumns<kPerLane, kWidth>& lane, const Args& a,
                                       const void* x, std::int64_t row,
                                       ParameterSums<kPerLane, kWidth>& sums) {
  using C = Chunk<T, kWidth>;
  RowGradient<T> gradient{
      static_cast<const T*>(a.dy) + row * a.cols,
      static_cast<const T*>(x) + row * a.cols,
      static_cast<const T*>(a.weight),
      {static_cast<const float*>(a.mean)[row], static_cast<const float*>(a.rstd)[row]},
      0,
      0};
  const auto [mean, rstd] = gradient.statistics;
  float sum = 0, sum_normal = 0;
  lane.for_chunks([&](int j, int first) {
    const C xs = C::load(gradient.x + first), dys = C::load(gradient.dy + first);
    const C w = C::load(gradient.weight + first);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float normal = (xs[i] - mean) * rstd, scaled = dys[i] * w[i];
      sum += scaled;
      sum_normal += scaled * normal;
      sums.weight[j].values[i] += dys[i] * normal;
    }
    sums.bias[j].add(dys);
  });
  gradient.mean = warp_sum(sum) / static_cast<float>(lane.cols);
  gradient.slope = warp_sum(sum_normal) / static_cast<float>(lane.cols);
  return gradient;
}

// Block b has rows [rows b / blocks, rows (b + 1) / blocks), its warps one each in turn. Calls
// row(r, sums) for each, which adds to the lane's sums; adds the warps' sums in order, without bank
// conflicts, and writes row b of each half of parts[2, blocks, cols].
template <int kPerLane, int kWidth, class Row>
__device__ void sum_gradients(const LaneColumns<kPerLane, kWidth>& lane, std::int64_t rows,
                              void* parts, const Row& row) {
  __shared__ float passed_on[2][kPerLane][kWarpSize];
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t blocks = gridDim.x, block = blockIdx.x;
  ParameterSums<kPerLane, kWidth> sums;
  for (std::int64_t r = rows * block / blocks + warp; r < rows * (block + 1) / blocks;
       r += kBackwardWarps)
    row(r, sums);
  for (int turn = 0; turn < kBackwardWarps; ++turn) {
    if (turn > 0) __syncthreads();
    if (turn != warp) continue;
#pragma unroll
    for (int e = 0; e < kPerLane; ++e) {
      float& weight_sum = sums.weight[e / kWidth].values[e % kWidth];
      float& bias_sum = sums.bias[e / kWidth].values[e % kWidth];
      if (turn > 0) weight_sum += passed_on[0][e][lane.lane];
      if (turn > 0) bias_sum += passed_on[1][e][lane.lane];
      passed_on[0][e][lane.lane] = weight_sum;
      passed_on[1][e][lane.lane] = bias_sum;
    }
  }
  if (warp != kBackwardWarps - 1) return;
  float* weight_part = static_cast<float*>(parts) + block * lane.cols;
  float* bias_part = weight_part + blocks * lane.cols;
  lane.for_chunks([&](int j, int first) {
    sums.weight[j].write(weight_part + first, false);
    sums.bias[j].write(bias_part + first, false);
  });
}

// The second half of it: adds the parts to dweight and dbias, or sets them.
template <class Args>
void add_parts(const Args& a, std::int64_t blocks, CudaStream& stream) {
  const auto* parts = static_cast<const float*>(a.parts);
  add_column_totals(parts, blocks, a.cols, a.dweight, stream);
  add_column_totals(parts + blocks * a.cols, blocks, a.cols, a.dbias, stream);
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

}  // namespace lodestone::kernels
