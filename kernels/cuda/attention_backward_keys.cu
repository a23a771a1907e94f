// The gradients of keys and values in bf16 attention. A block has 128 keys of one head of one cell
// (64 where a head has 128 columns), a warp 32 (16) of them, and the cell's queries pass by in
// tiles of 64, with their dy and QueryTerms, copied one ahead. Scores are computed as keys times
// queries, so the weights [keys, queries] are in place as left operands of
//   dvalues += dropped weights dy,  dkeys += dscores queries,
//   dscores = weights (dropped(dy values) - dy_y),
// and every sum is made by one warp in one order. Queries that do not exist have weights of zero
// (see QueryTerms), keys that do not exist have rows of their own: no masks. Recomputes scores, as
// the pass for the queries does; in return there is neither an atomic nor a buffer of partial sums.
#include "kernels/cuda/attention_dropout.cuh"
#include "kernels/cuda/attention_passes.h"
#include "kernels/cuda/attention_tile.cuh"

namespace lodestone::kernels {

namespace {

constexpr float kLog2E = 1.44269504088896341f;

template <int kHeadSize>
struct KeysShape {
  static constexpr int kRowTiles = kHeadSize == 128 ? 1 : 2;
  static constexpr int kKeys = kAttentionWarps * 16 * kRowTiles;
  static constexpr int kQueries = 64;
  static constexpr int kStep = 32;  // so many queries at a time: registers last no longer
  static constexpr int kTermBytes = kQueries * static_cast<int>(sizeof(QueryTerms));
  static constexpr int kSharedBytes =
      (2 * kKeys + 4 * kQueries) * RowTile<kHeadSize>::kRowBytes + 2 * kTermBytes;
};

// The terms of columns 8 n + column_of(0) and the next, of those in shared memory from `terms` on.
struct TermPair {
  float log2_sum[2], dy_y[2];
  __device__ __forceinline__ TermPair(std::uint32_t terms, int n) {
    const uint4 words = load_shared_16_bytes(
        terms + static_cast<std::uint32_t>((n * 8 + column_of(0)) * sizeof(QueryTerms)));
    log2_sum[0] = __uint_as_float(words.x);
    dy_y[0] = __uint_as_float(words.y);
    log2_sum[1] = __uint_as_float(words.z);
    dy_y[1] = __uint_as_float(words.w);
  }
};

// One tile of queries, or part of one, in shared memory.
template <int kHeadSize>
struct QueryTile {
  RowTile<kHeadSize> queries, dy;
  std::uint32_t terms;
  __device__ __forceinline__ QueryTile from(int row) const {
    return {queries.from(row), dy.from(row),
            terms + static_cast<std::uint32_t>(row * static_cast<int>(sizeof(QueryTerms)))};
  }
};

// A warp's keys: their rows in shared memory, and the sums of their gradients.
template <int kHeadSize, int kRowTiles>
struct KeyRows {
  RowTile<kHeadSize> keys, values;
  int first;  // row of the warp in both
  Sums<kRowTiles, kHeadSize> dkeys, dvalues;
};

// kStep queries: scores to weights, weights to gradients. `dropped` is read only with dropout.
template <int kStep, bool kDropout, int kHeadSize, int kRowTiles>
__device__ __forceinline__ void add_gradients(
    KeyRows<kHeadSize, kRowTiles>& rows, const QueryTile<kHeadSize>& tile, float scale, float kept,
    const std::uint32_t (&dropped)[kRowTiles][kStep / 16]) {
  Sums<kRowTiles, kStep> weights = {}, kept_weights, dscores = {};
  add_row_products(weights, rows.keys, rows.first, tile.queries, kStep);
#pragma unroll
  for (int n = 0; n < kStep / 8; ++n) {
    const TermPair terms(tile.terms, n);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float weight = power_of_two(fmaf(weights[m][n][i], scale, -terms.log2_sum[i % 2]));
        weights[m][n][i] = weight;
        kept_weights[m][n][i] = kDropout && is_dropped_transposed(dropped[m], n, i) ? 0.0f : weight;
      }
  }
  Weights<kRowTiles, kStep> rounded;
  round_to(rounded, kept_weights);
  add_weighted_rows(rows.dvalues, rounded, tile.dy, kStep);
  add_row_products(dscores, rows.values, rows.first, tile.dy, kStep);
#pragma unroll
  for (int n = 0; n < kStep / 8; ++n) {
    const TermPair terms(tile.terms, n);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float dweight = dscores[m][n][i];
        if constexpr (kDropout)
          dweight = is_dropped_transposed(dropped[m], n, i) ? 0.0f : dweight * kept;
        dscores[m][n][i] = weights[m][n][i] * (dweight - terms.dy_y[i % 2]);
      }
  }
  round_to(rounded, dscores);
  add_weighted_rows(rows.dkeys, rounded, tile.queries, kStep);
}

// The block's work is looked up again: that is cheaper than to know it through the loop.
template <int kHeadSize, int kRowTiles>
__device__ __forceinline__ void write_gradients(const AttentionBackwardArgs& a,
                                                const KeyRows<kHeadSize, kRowTiles>& rows) {
  const AttentionItem item =
      item_of_block(a.layout, a.layout.longest, kAttentionWarps * 16 * kRowTiles);
  const auto write = [&](const auto& sums, RowTile<kHeadSize> stage, const Gradient& gradient,
                         std::int64_t stride) {
    const auto to = rows_of<Bf16>(RowsOfHeads<void*>{gradient.data, stride},
                                  item.first_key + item.first, item, a.layout);
    write_rows(sums, stage, rows.first, to, item.keys - item.first, gradient.accumulate);
  };
  write(rows.dkeys, rows.keys, a.dkeys, a.keys.stride);
  write(rows.dvalues, rows.values, a.dvalues, a.values.stride);
}

template <int kHeadSize, bool kDropout>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_backward_keys(const __grid_constant__ AttentionBackwardArgs a) {
  using Shape = KeysShape<kHeadSize>;
  constexpr int kKeys = Shape::kKeys, kQueries = Shape::kQueries, kStep = Shape::kStep;
  constexpr int kRowTiles = Shape::kRowTiles;
  const AttentionItem item = item_of_block(a.layout, a.layout.longest, kKeys);
  if (item.first >= item.keys) return;

  SharedMemory memory;
  const auto keys = memory.take_rows<kHeadSize>(kKeys), values = memory.take_rows<kHeadSize>(kKeys);
  const TwoTiles<kHeadSize, kQueries> queries(memory), dys(memory);
  const TwoBuffers terms(memory, Shape::kTermBytes);
  const auto all_queries = rows_of<const Bf16>(a.queries, item.first_query, item, a.layout);
  const auto all_dys = query_rows_of<const Bf16>(a.dy, item, a.layout);
  const auto* all_terms =
      static_cast<const QueryTerms*>(a.workspace) + item.index * query_terms_of_item(a.layout);
  const auto copy_tile = [&](int tile) {
    const int row = tile * kQueries, count = item.queries - row;
    copy_rows<kQueries>(queries.of(tile), all_queries.from(row), count);
    copy_rows<kQueries>(dys.of(tile), all_dys.from(row), count);
    if (const int bytes = static_cast<int>(threadIdx.x) * 16; bytes < Shape::kTermBytes)
      copy_async(terms.of(tile) + static_cast<std::uint32_t>(bytes),
                 reinterpret_cast<const char*>(all_terms + row) + bytes, true);
    commit_copies();
  };
  const int tiles = static_cast<int>(tiles_of(item.queries, kQueries));
  copy_rows<kKeys>(keys, rows_of<const Bf16>(a.keys, item.first_key + item.first, item, a.layout),
                   item.keys - item.first);
  copy_rows<kKeys>(values,
                   rows_of<const Bf16>(a.values, item.first_key + item.first, item, a.layout),
                   item.keys - item.first);
  commit_copies();
  if (tiles > 0) copy_tile(0);

  KeyRows<kHeadSize, kRowTiles> rows = {keys, values, warp_index() * 16 * kRowTiles, {}, {}};
  const float root = 1 / sqrtf(static_cast<float>(kHeadSize));
  const float kept = kDropout ? static_cast<float>(a.dropout.scale) : 1.0f;
  const bool warp_has_keys = item.first + rows.first < item.keys;
  for (int tile = 0; tile < tiles; ++tile) {
    wait_copies<0>();
    __syncthreads();
    if (tile + 1 < tiles) copy_tile(tile + 1);
    if (!warp_has_keys) continue;
    const QueryTile<kHeadSize> here{queries.of(tile), dys.of(tile), terms.of(tile)};
    const int count = min(item.queries - tile * kQueries, kQueries);
#pragma unroll 1
    for (int step = 0; step < count; step += kStep) {
      std::uint32_t dropped[kRowTiles][kStep / 16];
      if constexpr (kDropout)
        find_dropped_transposed(dropped, a.dropout, item, item.first + rows.first,
                                tile * kQueries + step);
      add_gradients<kStep, kDropout>(rows, here.from(step), root * kLog2E, kept, dropped);
    }
  }
  if (tiles == 0) {
    wait_copies<0>();
    __syncthreads();
  }
  if (!warp_has_keys) return;
  multiply(rows.dkeys, root);
  if constexpr (kDropout) multiply(rows.dvalues, kept);
  write_gradients(a, rows);
}

template <int kHeadSize, bool kDropout>
void launch_keys(const AttentionBackwardArgs& args, CudaStream& stream) {
  using Shape = KeysShape<kHeadSize>;
  launch_attention(attention_backward_keys<kHeadSize, kDropout>, args,
                   tiles_of(args.layout.longest, Shape::kKeys), kAttentionThreads,
                   Shape::kSharedBytes, stream);
}

}  // namespace

void attention_backward_keys_bf16(const AttentionBackwardArgs& args, CudaStream& stream) {
  visit_head_size(args.layout, [&]<int kHeadSize>() {
    if (args.dropout.enabled)
      launch_keys<kHeadSize, true>(args, stream);
    else
      launch_keys<kHeadSize, false>(args, stream);
  });
}

}  // namespace lodestone::kernels
