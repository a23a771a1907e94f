#pragma once
// Sums over rows, column by column, in one order. A lane owns kWidth neighbouring columns, so a
// warp reads a tile of kWarpSize * kWidth columns of a row at once; the warps of a block take rows
// in turn and fold their sums at the end.
#include "kernels/cuda/device.cuh"

namespace lodestone::kernels {

template <int kWidth>
struct ColumnSums {
  static constexpr int kAccess = kWidth % 4 == 0 ? 4 : 1;  // floats that one access moves
  using Access = Chunk<float, kAccess>;
  float values[kWidth] = {};

  template <class T>
  __device__ void add(const Chunk<T, kWidth>& row) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] += row[i];
  }
  template <class T>
  __device__ void add(const Chunk<T, kWidth>& row, float factor) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] += factor * row[i];
  }
  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = 0;
  }
  // Writes the sums, or adds them to what is there.
  __device__ void write(float* to, bool accumulate) const {
#pragma unroll
    for (int i = 0; i < kWidth; i += kAccess) {
      Access chunk = accumulate ? Access::load(to + i) : Access{};
#pragma unroll
      for (int j = 0; j < kAccess; ++j) chunk.elements[j] += values[i + j];
      chunk.store(to + i);
    }
  }
  // Adds the sums of the block's other warps, in order, to those of its first. For all threads of
  // blocks of kWarps warps; no bank conflicts.
  template <int kWarps>
  __device__ void fold_warps() {
    __shared__ float others[kWarps - 1][kWidth][kWarpSize];
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    if (warp > 0) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) others[warp - 1][i][lane] = values[i];
    }
    __syncthreads();
    if (warp > 0) return;
#pragma unroll
    for (int other = 0; other < kWarps - 1; ++other)
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[i] += others[other][i][lane];
  }
};

// Tiles of columns that cover a row: an extent of the grid.
template <int kWidth>
unsigned column_tiles(std::int64_t columns) {
  constexpr std::int64_t kTile = std::int64_t{kWarpSize} * kWidth;
  return static_cast<unsigned>((columns + kTile - 1) / kTile);
}

}  // namespace lodestone::kernels
