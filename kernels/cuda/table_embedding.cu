// Forward: a warp has a token; reads its table row and writes its embedding. Backward: the order of
// tokens by table row is cut into runs of kRun, whatever rows they belong to, so that one row with
// a large share of all tokens is no different from many with few. A warp sums a run's rows of dy in
// a tile of columns: groups that lie in the run go to the table's gradient, the sums of the at most
// two that cross its ends to `parts`, which a second kernel adds in order. dy is read once, in
// pieces of 512 bytes, and also gives the value weight's gradient: each block's, then their sum.
#include "engine/core/cuda.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/column_totals.h"
#include "kernels/cuda/visit.h"
#include "kernels/table_embedding.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 8;
constexpr unsigned kThreads = kWarps * kWarpSize;
constexpr int kRun = static_cast<int>(kTableEmbeddingRun);
static_assert(kWarps == kTableEmbeddingRunsOfBlock);

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    table_embedding_forward(const __grid_constant__ TableEmbeddingForwardArgs a) {
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t token = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (token >= a.tokens) return;
  const T* __restrict__ row = static_cast<const T*>(a.table) + a.row_of_token[token] * a.columns;
  const T* __restrict__ weight = static_cast<const T*>(a.value_weight);
  T* __restrict__ y = static_cast<T*>(a.y) + token * a.columns;
  const float value = weight ? static_cast<const float*>(a.values)[token] : 0;
#pragma unroll 3
  for (std::int64_t c = lane * kWidth; c < a.columns; c += kWarpSize * kWidth) {
    C chunk = C::load(row + c);
    if (weight) {
      const C w = C::load(weight + c);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) chunk.set(i, chunk[i] + value * w[i]);
    }
    chunk.store(y + c);
  }
}

// Where the sums of a group that crosses an end of its run are kept: [runs, 2, columns]; 0: it
// began before the run, 1: it begins there and goes on.
__device__ float* part_of(const TableEmbeddingBackwardArgs& a, std::int64_t run, int which) {
  return static_cast<float*>(a.workspace) + (2 * run + which) * a.columns;
}

// What a lane knows of one position of the order.
struct Position {
  std::int32_t token = 0, row = 0;
  float value = 0;
  bool ends = false;  // the last of its group, or of the run
};

__device__ Position position_at(const TableEmbeddingBackwardArgs& a, std::int64_t i,
                                std::int64_t end_of_run) {
  Position position;
  if (i >= end_of_run) return position;
  position.token = a.token_order[i];
  position.row = a.row_of_token[position.token];
  position.ends = i + 1 == end_of_run || i + 1 == a.group_offsets[position.row + 1];
  if (a.dvalue_weight.data) position.value = static_cast<const float*>(a.values)[position.token];
  return position;
}

// Puts the sums over a run's part of `row`'s group where they belong.
template <int kWidth>
__device__ void put_group(const TableEmbeddingBackwardArgs& a, std::int64_t run, std::int32_t row,
                          std::int64_t column, const ColumnSums<kWidth>& sums) {
  const bool began_before = a.group_offsets[row] < run * kRun;
  const bool goes_on = a.group_offsets[row + 1] > (run + 1) * kRun;
  if (began_before || goes_on)
    sums.write(part_of(a, run, began_before ? 0 : 1) + column, false);
  else
    sums.write(static_cast<float*>(a.dtable.data) + row * a.columns + column, a.dtable.accumulate);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, 2)
    table_embedding_backward(const __grid_constant__ TableEmbeddingBackwardArgs a,
                             float* value_weight_parts) {
  constexpr int kBatch = 4;  // rows that are loaded before the first is added
  using C = Chunk<T, kWidth>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t run = std::int64_t{blockIdx.x} * kWarps + warp;
  const std::int64_t column = (std::int64_t{blockIdx.y} * kWarpSize + lane) * kWidth;
  const bool in_row = column < a.columns;
  const T* const dy = static_cast<const T*>(a.dy) + column;
  const std::int64_t end = min((run + 1) * kRun, a.tokens);
  ColumnSums<kWidth> group, weighted;
  for (std::int64_t begin = run * kRun; begin < end; begin += kWarpSize) {
    const Position mine = position_at(a, begin + lane, end);
    const unsigned ends = __ballot_sync(0xffffffffu, mine.ends);
    const int count = static_cast<int>(min(end - begin, std::int64_t{kWarpSize}));
    for (int first = 0; first < count; first += kBatch) {
      C rows[kBatch] = {};
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const std::int64_t token = __shfl_sync(0xffffffffu, mine.token, first + i);
        if (in_row && first + i < count) rows[i] = C::load(dy + token * a.columns);
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        group.add(rows[i]);
        weighted.add(rows[i], __shfl_sync(0xffffffffu, mine.value, first + i));
        const std::int32_t row = __shfl_sync(0xffffffffu, mine.row, first + i);
        if (!(ends >> (first + i) & 1)) continue;
        if (in_row && a.dtable.data) put_group(a, run, row, column, group);
        group.clear();
      }
    }
  }
  if (!a.dvalue_weight.data) return;
  weighted.template fold_warps<kWarps>();
  if (warp == 0 && in_row)
    weighted.write(value_weight_parts + blockIdx.x * a.columns + column, false);
}

// The groups that cross ends of runs: a block has the one that begins in its run and goes on.
template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_crossing_groups(const __grid_constant__ TableEmbeddingBackwardArgs a) {
  const std::int64_t run = blockIdx.x, end = (run + 1) * kRun;
  const std::int64_t row = a.row_of_token[a.token_order[end - 1]];
  const std::int64_t group_end = a.group_offsets[row + 1];
  if (a.group_offsets[row] < run * kRun || group_end <= end) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t column = (std::int64_t{blockIdx.y} * kWarpSize + lane) * kWidth;
  const std::int64_t last_run = (group_end - 1) / kRun;
  ColumnSums<kWidth> sums;
  if (column < a.columns) {
#pragma unroll 4
    for (std::int64_t r = run + warp; r <= last_run; r += kWarps)
      sums.add(Chunk<float, kWidth>::load(part_of(a, r, r == run ? 1 : 0) + column));
  }
  sums.template fold_warps<kWarps>();
  if (warp == 0 && column < a.columns)
    sums.write(static_cast<float*>(a.dtable.data) + row * a.columns + column, a.dtable.accumulate);
}

// Gradients of no token are zero.
void clear_table(const TableEmbeddingBackwardArgs& a, CudaStream& stream) {
  if (!a.dtable.data || a.dtable.accumulate) return;
  const auto elements = static_cast<std::size_t>(a.table_rows * a.columns);
  cuda_check(cudaMemsetAsync(a.dtable.data, 0, elements * sizeof(float), stream.native()));
}

template <int kWidth>
void launch_crossing_groups(const TableEmbeddingBackwardArgs& a, CudaStream& stream) {
  const auto runs = static_cast<unsigned>((a.tokens - 1) / kRun);  // all but the last
  if (!a.dtable.data || runs == 0) return;
  add_crossing_groups<kWidth>
      <<<{runs, column_tiles<kWidth>(a.columns)}, kThreads, 0, stream.native()>>>(a);
}

}  // namespace

void run(const TableEmbeddingForwardArgs& args, CudaStream& stream) {
  if (args.tokens == 0 || args.columns == 0) return;
  const auto blocks = static_cast<unsigned>((args.tokens + kWarps - 1) / kWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    constexpr int kWide = kElementsOf16Bytes<T>;
    if (in_16_bytes<T>(args.columns, args.table, args.value_weight, args.y))
      table_embedding_forward<T, kWide><<<blocks, kThreads, 0, stream.native()>>>(args);
    else
      table_embedding_forward<T, 1><<<blocks, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

void run(const TableEmbeddingBackwardArgs& args, CudaStream& stream) {
  if (args.columns == 0) return;
  clear_table(args, stream);
  const std::int64_t blocks = table_embedding_blocks(args.tokens);
  float* const value_weight_parts =
      static_cast<float*>(args.workspace) + 2 * blocks * kWarps * args.columns;
  if (args.tokens > 0) {
    visit_floating_cuda(args.dtype, [&]<class T>() {
      const auto launch = [&]<int kWidth, int kFloats>() {
        const dim3 grid(static_cast<unsigned>(blocks), column_tiles<kWidth>(args.columns));
        table_embedding_backward<T, kWidth>
            <<<grid, kThreads, 0, stream.native()>>>(args, value_weight_parts);
        cuda_check(cudaGetLastError());
        launch_crossing_groups<kFloats>(args, stream);
      };
      if (in_16_bytes<T>(args.columns, args.dy, args.dtable.data, args.workspace))
        launch.template operator()<kElementsOf16Bytes<T>, 4>();
      else
        launch.template operator()<1, 1>();
    });
    cuda_check(cudaGetLastError());
  }
  add_column_totals(value_weight_parts, args.tokens > 0 ? blocks : 0, args.columns,
                    args.dvalue_weight, stream);
}

}  // namespace lodestone::kernels
