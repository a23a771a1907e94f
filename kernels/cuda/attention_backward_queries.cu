// The gradients of queries in bf16 attention: as the forward pass (see attention_forward.cu), with
// tiles of fewer keys and without a running softmax, for each weight is 2^(score log2(e) -
// log2_sum):
//   dqueries += dscores keys,  dscores = weights (dropped(dy values) - dy_y).
// A block has 128 queries of one head of one cell, a warp 32 of them, and their dy.
#include "kernels/cuda/attention_dropout.cuh"
#include "kernels/cuda/attention_passes.h"
#include "kernels/cuda/attention_tile.cuh"

namespace lodestone::kernels {

namespace {

constexpr float kLog2E = 1.44269504088896341f;

template <int kHeadSize>
struct QueriesShape {
  static constexpr int kRowTiles = 2;
  static constexpr int kQueries = kAttentionWarps * 16 * kRowTiles;
  static constexpr int kKeys = kHeadSize == 128 ? 32 : 64;
  // So many keys at a time: registers last no longer.
  static constexpr int kStep = kHeadSize == 128 ? 16 : 32;
  static constexpr int kSharedBytes = (2 * kQueries + 4 * kKeys) * RowTile<kHeadSize>::kRowBytes;
};

// Scores and the products of dy and values become gradients of the scores. Of the keys, `count`
// exist; `dropped` is read only with dropout.
template <bool kDropout, int kRowTiles, int kKeyTiles>
__device__ __forceinline__ void to_gradients(const float (&scores)[kRowTiles][kKeyTiles][4],
                                             float (&dscores)[kRowTiles][kKeyTiles][4],
                                             const QueryTerms (&terms)[kRowTiles][2], int count,
                                             float scale, float kept,
                                             const std::uint32_t (&dropped)[kRowTiles][2]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const QueryTerms& term = terms[m][i / 2];
        const float weight = power_of_two(fmaf(scores[m][n][i], scale, -term.log2_sum));
        float dweight = dscores[m][n][i];
        if constexpr (kDropout) dweight = is_dropped(dropped[m], n, i) ? 0.0f : dweight * kept;
        dscores[m][n][i] = weight * (dweight - term.dy_y);
        if (count < kKeyTiles * 8 && n * 8 + column_of(i) >= count) dscores[m][n][i] = 0;
      }
}

// The block's work is looked up again: that is cheaper than to know it through the loop.
template <int kRowTiles, int kColumnTiles, int kHeadSize>
__device__ __forceinline__ void write_gradients(const AttentionBackwardArgs& a,
                                                const float (&dqueries)[kRowTiles][kColumnTiles][4],
                                                RowTile<kHeadSize> stage, int warp_first) {
  const AttentionItem item =
      item_of_block(a.layout, a.layout.longest_queries, QueriesShape<kHeadSize>::kQueries);
  const auto to = rows_of<Bf16>(RowsOfHeads<void*>{a.dqueries.data, a.queries.stride},
                                item.first_query + item.first, item, a.layout);
  write_rows(dqueries, stage, warp_first, to, item.queries - item.first, a.dqueries.accumulate);
}

template <int kHeadSize, bool kDropout>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_backward_queries(const __grid_constant__ AttentionBackwardArgs a) {
  using Shape = QueriesShape<kHeadSize>;
  constexpr int kQueries = Shape::kQueries, kKeys = Shape::kKeys, kStep = Shape::kStep;
  constexpr int kRowTiles = Shape::kRowTiles;
  const AttentionItem item = item_of_block(a.layout, a.layout.longest_queries, kQueries);
  if (item.first >= item.queries) return;

  SharedMemory memory;
  const auto queries = memory.take_rows<kHeadSize>(kQueries);
  const auto dy = memory.take_rows<kHeadSize>(kQueries);
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
  copy_rows<kQueries>(dy, query_rows_of<const Bf16>(a.dy, item, a.layout).from(item.first),
                      item.queries - item.first);
  copy_tile(0);

  const int warp_first = warp_index() * 16 * kRowTiles;
  const bool warp_has_rows = item.first + warp_first < item.queries;
  QueryTerms terms[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      terms[m][half] = static_cast<const QueryTerms*>(
          a.workspace)[item.index * query_terms_of_item(a.layout) + item.first + warp_first +
                       m * 16 + row_of(2 * half)];
  const float root = 1 / sqrtf(static_cast<float>(kHeadSize));
  const float kept = kDropout ? static_cast<float>(a.dropout.scale) : 1.0f;
  Sums<kRowTiles, kHeadSize> dqueries = {};
  // Of kStep keys from row `row` of a tile, `count`, which may be more, exist.
  const auto add_gradients = [&](int tile, int row, int count) {
    std::uint32_t dropped[kRowTiles][2];
    if constexpr (kDropout)
      find_dropped<kRowTiles, kStep / 8>(dropped, a.dropout, item, item.first + warp_first,
                                         tile * kKeys + row);
    const auto here = keys.of(tile).from(row);
    Sums<kRowTiles, kStep> scores = {}, dscores = {};
    add_row_products(scores, queries, warp_first, here, count);
    add_row_products(dscores, dy, warp_first, values.of(tile).from(row), count);
    to_gradients<kDropout>(scores, dscores, terms, count, root * kLog2E, kept, dropped);
    Weights<kRowTiles, kStep> rounded;
    round_to(rounded, dscores);
    add_weighted_rows(dqueries, rounded, here, count);
  };
  const int tiles = static_cast<int>(tiles_of(item.keys, kKeys));
  for (int tile = 0; tile < tiles; ++tile) {
    wait_copies<0>();
    __syncthreads();
    if (tile + 1 < tiles) copy_tile(tile + 1);
    if (!warp_has_rows) continue;
    const int count = min(item.keys - tile * kKeys, kKeys);
    int row = 0;
#pragma unroll 1
    for (; row + kStep <= count; row += kStep) add_gradients(tile, row, kStep);
    if (row < count) add_gradients(tile, row, count - row);
  }
  if (!warp_has_rows) return;
  multiply(dqueries, root);
  write_gradients(a, dqueries, queries, warp_first);
}

template <int kHeadSize, bool kDropout>
void launch_queries(const AttentionBackwardArgs& args, CudaStream& stream) {
  using Shape = QueriesShape<kHeadSize>;
  launch_attention(attention_backward_queries<kHeadSize, kDropout>, args,
                   tiles_of(args.layout.longest_queries, Shape::kQueries), kAttentionThreads,
                   Shape::kSharedBytes, stream);
}

}  // namespace

void attention_backward_queries_bf16(const AttentionBackwardArgs& args, CudaStream& stream) {
  visit_head_size(args.layout, [&]<int kHeadSize>() {
    if (args.dropout.enabled)
      launch_queries<kHeadSize, true>(args, stream);
    else
      launch_queries<kHeadSize, false>(args, stream);
  });
}

}  // namespace lodestone::kernels
