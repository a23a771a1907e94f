// Attention of bf16, forward, on tensor cores of sm_80 (Dao, "FlashAttention-2", 2023). A block has
// 128 queries of one head of one cell, a warp 32 of them. The cell's keys and values pass by in
// tiles: while the warps work on one, the next is copied into the other buffer, and one barrier per
// tile both hands over the one and frees the other. A warp keeps its queries' results, maxima and
// sums in registers; scores and weights exist only there. Of the last tile only the keys that exist
// are multiplied, by 16. Moves a row of queries and results once, keys and values once per 128
// queries of their cell (from the second-level cache, but for the first time).
#include "kernels/cuda/attention_dropout.cuh"
#include "kernels/cuda/attention_passes.h"
#include "kernels/cuda/attention_tile.cuh"

namespace lodestone::kernels {

namespace {

constexpr float kLog2E = 1.44269504088896341f, kLogOf2 = 0.693147180559945309f;

template <int kHeadSize>
struct ForwardShape {
  static constexpr int kRowTiles = 2;
  static constexpr int kQueries = kAttentionWarps * 16 * kRowTiles;
  static constexpr int kKeys = kHeadSize == 128 ? 32 : 64;
  static constexpr int kSharedBytes = (kQueries + 4 * kKeys) * RowTile<kHeadSize>::kRowBytes;
};

// What a lane knows of its rows 16 m + row_of(2 half). The maximum is the row's, in scores that are
// not scaled; the sum is that of the lane's own columns.
template <int kRowTiles>
struct RunningSoftmax {
  float most[kRowTiles][2], sum[kRowTiles][2];
};

// Over the four lanes that share rows.
__device__ __forceinline__ float most_of_row(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}
__device__ __forceinline__ float sum_of_row(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 1);
  return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

// Scores become weights 2^(scale (score - maximum)). What was summed under smaller maxima is
// brought up to date, unless none of the warp's rows has a new one.
template <int kRowTiles, int kKeyTiles, int kColumnTiles>
__device__ __forceinline__ void update(RunningSoftmax<kRowTiles>& softmax,
                                       float (&scores)[kRowTiles][kKeyTiles][4],
                                       float (&results)[kRowTiles][kColumnTiles][4], float scale) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float& most = softmax.most[m][half];
      float& sum = softmax.sum[m][half];
      float highest = most;
#pragma unroll
      for (int n = 0; n < kKeyTiles; ++n)
        highest = fmaxf(highest, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
      highest = most_of_row(highest);
      if (__any_sync(0xffffffffu, highest > most)) {
        const float shrink = power_of_two((most - highest) * scale);
        sum *= shrink;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
          results[m][n][2 * half] *= shrink;
          results[m][n][2 * half + 1] *= shrink;
        }
        most = highest;
      }
      const float offset = highest * scale;
#pragma unroll
      for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          scores[m][n][i] = power_of_two(fmaf(scores[m][n][i], scale, -offset));
          sum += scores[m][n][i];
        }
    }
}

template <int kRowTiles, int kKeyTiles>
__device__ __forceinline__ void mask_keys_from(int count,
                                               float (&scores)[kRowTiles][kKeyTiles][4]) {
#pragma unroll
  for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m)
        if (n * 8 + column_of(i) >= count) scores[m][n][i] = -INFINITY;
}

template <int kRowTiles, int kKeyTiles>
__device__ __forceinline__ void drop(const std::uint32_t (&dropped)[kRowTiles][2],
                                     float (&weights)[kRowTiles][kKeyTiles][4]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (is_dropped(dropped[m], n, i)) weights[m][n][i] = 0;
}

// The results of a warp's rows, divided by the sums of the weights, and log_sums [M, heads]. The
// block's work is looked up again: that is cheaper than to know it through the loop.
template <int kRowTiles, int kColumnTiles, int kHeadSize>
__device__ __forceinline__ void write_results(const AttentionForwardArgs& a,
                                              const RunningSoftmax<kRowTiles>& softmax, float scale,
                                              float kept,
                                              float (&results)[kRowTiles][kColumnTiles][4],
                                              RowTile<kHeadSize> stage, int warp_first) {
  const AttentionItem item =
      item_of_block(a.layout, a.layout.longest_queries, ForwardShape<kHeadSize>::kQueries);
  auto* log_sums = static_cast<float*>(a.log_sums) + item.head;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = sum_of_row(softmax.sum[m][half]), factor = kept / sum;
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
        results[m][n][2 * half] *= factor;
        results[m][n][2 * half + 1] *= factor;
      }
      const int row = item.first + warp_first + m * 16 + row_of(2 * half);
      if (lane_index() % 4 == 0 && row < item.queries)
        log_sums[(item.first_query + row) * a.layout.heads] =
            fmaf(softmax.most[m][half], scale, log2f(sum)) * kLogOf2;
    }
  write_rows(results, stage, warp_first, query_rows_of<Bf16>(a.y, item, a.layout).from(item.first),
             item.queries - item.first, false);
}

template <int kHeadSize, bool kDropout>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_forward(const __grid_constant__ AttentionForwardArgs a) {
  using Shape = ForwardShape<kHeadSize>;
  constexpr int kQueries = Shape::kQueries, kKeys = Shape::kKeys, kRowTiles = Shape::kRowTiles;
  const AttentionItem item = item_of_block(a.layout, a.layout.longest_queries, kQueries);
  if (item.first >= item.queries) return;

  SharedMemory memory;
  const auto queries = memory.take_rows<kHeadSize>(kQueries);
  const TwoTiles<kHeadSize, kKeys> keys(memory), values(memory);
  const auto all_keys = rows_of<const Bf16>(a.keys, item.first_key, item, a.layout);
  const auto all_values = rows_of<const Bf16>(a.values, item.first_key, item, a.layout);
  const auto copy_tile = [&](int tile) {
    copy_rows<kKeys>(keys.of(tile), all_keys.from(tile * kKeys), item.keys - tile * kKeys);
    copy_rows<kKeys>(values.of(tile), all_values.from(tile * kKeys), item.keys - tile * kKeys);
    commit_copies();
  };
  copy_rows<kQueries>(queries,
                      rows_of<const Bf16>(a.queries, item.first_query + item.first, item, a.layout),
                      item.queries - item.first);
  copy_tile(0);

  const int warp_first = warp_index() * 16 * kRowTiles;
  const bool warp_has_rows = item.first + warp_first < item.queries;
  const float scale = kLog2E / sqrtf(static_cast<float>(kHeadSize));
  Sums<kRowTiles, kHeadSize> results = {};
  RunningSoftmax<kRowTiles> softmax = {};
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) softmax.most[m][0] = softmax.most[m][1] = -INFINITY;
  const auto attend = [&](int tile, int count) {
    std::uint32_t dropped[kRowTiles][2];
    if constexpr (kDropout)
      find_dropped<kRowTiles, kKeys / 8>(dropped, a.dropout, item, item.first + warp_first,
                                         tile * kKeys);
    Sums<kRowTiles, kKeys> scores = {};
    add_row_products(scores, queries, warp_first, keys.of(tile), count);
    if (count < kKeys) mask_keys_from(count, scores);
    update(softmax, scores, results, scale);
    if constexpr (kDropout) drop(dropped, scores);
    Weights<kRowTiles, kKeys> weights;
    round_to(weights, scores);
    add_weighted_rows(results, weights, values.of(tile), count);
  };
  const int tiles = static_cast<int>(tiles_of(item.keys, kKeys));
  for (int tile = 0; tile < tiles; ++tile) {
    wait_copies<0>();
    __syncthreads();
    if (tile + 1 < tiles) copy_tile(tile + 1);
    if (!warp_has_rows) continue;
    if (const int count = item.keys - tile * kKeys; count < kKeys)
      attend(tile, count);
    else
      attend(tile, kKeys);
  }
  if (!warp_has_rows) return;
  write_results(a, softmax, scale, kDropout ? static_cast<float>(a.dropout.scale) : 1.0f, results,
                queries, warp_first);
}

template <int kHeadSize, bool kDropout>
void launch_forward(const AttentionForwardArgs& args, CudaStream& stream) {
  using Shape = ForwardShape<kHeadSize>;
  launch_attention(attention_forward<kHeadSize, kDropout>, args,
                   tiles_of(args.layout.longest_queries, Shape::kQueries), kAttentionThreads,
                   Shape::kSharedBytes, stream);
}

}  // namespace

void attention_forward_bf16(const AttentionForwardArgs& args, CudaStream& stream) {
  visit_head_size(args.layout, [&]<int kHeadSize>() {
    if (args.dropout.enabled)
      launch_forward<kHeadSize, true>(args, stream);
    else
      launch_forward<kHeadSize, false>(args, stream);
  });
}

}  // namespace lodestone::kernels
