// The same algorithm as in attention.cpp on the tile kernels of attention_avx512.h.
//
// Products take bf16 and sum in f32. Probabilities and gradients of scores are rounded to bf16
// where they enter a product, as every bf16 attention does; scores, statistics and sums stay f32.
//
// The backward takes tiles of keys one after another and passes all queries by each: gradients of a
// tile of keys stay in the second-level cache, those of the queries are summed in f32 in memory. A
// product wants its operands as pairs along its inner extent, so queries, dy and keys are packed
// twice: along the head for scores, along the rows for gradients.
#include <cmath>
#include <cstring>
#include <numbers>

#include "kernels/cpu/attention_avx512.h"
#include "kernels/cpu/attention_items.h"
#include "kernels/cpu/attention_passes.h"
#include "kernels/cpu/cpu_features.h"

namespace lodestone::kernels {

namespace {

using avx512::kBlockColumns;
using avx512::kBlockRows;
using avx512::Pair;

constexpr std::int64_t kTile = 128;  // queries or keys

using Rows = HeadRows<const BFloat16>;

// A head's size in packed operands.
struct Extents {
  explicit Extents(const AttentionLayout& layout)
      : head_size(layout.head_size),
        pairs((head_size + 1) / 2),
        width(round_up(head_size, kBlockColumns)) {}
  std::int64_t head_size, pairs, width;
};

Pair pair_of(BFloat16 low, BFloat16 high) {
  return low.bits | static_cast<Pair>(high.bits) << 16;
}

// Panels [pairs, kPanel] of so many rows each, pairs along the head; missing rows are zero.
template <std::int64_t kPanel>
void pack_along_head(Rows from, std::int64_t rows, const Extents& e, Pair* to) {
  for (std::int64_t first = 0; first < rows; first += kPanel, to += e.pairs * kPanel) {
    const std::int64_t here = std::min(kPanel, rows - first);
    for (std::int64_t r = 0; r < here; ++r) {
      const BFloat16* row = from.row(first + r);
      for (std::int64_t i = 0; i < e.head_size / 2; ++i)
        to[i * kPanel + r] = pair_of(row[2 * i], row[2 * i + 1]);
      if (e.head_size % 2 != 0)
        to[(e.pairs - 1) * kPanel + r] = pair_of(row[e.head_size - 1], BFloat16{});
    }
    if (here == kPanel) continue;
    for (std::int64_t i = 0; i < e.pairs; ++i)
      std::fill(to + i * kPanel + here, to + (i + 1) * kPanel, Pair{0});
  }
}

// Panels [padded / 2, 32] of so many columns each, pairs along the rows; what is missing is zero.
void pack_along_rows(Rows from, std::int64_t rows, std::int64_t padded, const Extents& e,
                     Pair* to) {
  const std::int64_t panel = padded / 2 * kBlockColumns;
  std::fill_n(to, padded / 2 * e.width, Pair{0});
  for (std::int64_t r = 0; r < rows; r += 2) {
    const BFloat16* low = from.row(r);
    const BFloat16* high = r + 1 < rows ? from.row(r + 1) : nullptr;
    for (std::int64_t first = 0; first < e.head_size; first += kBlockColumns) {
      Pair* const out = to + first / kBlockColumns * panel + r / 2 * kBlockColumns;
      const std::int64_t here = std::min(kBlockColumns, e.head_size - first);
      for (std::int64_t d = 0; d < here; ++d)
        out[d] = pair_of(low[first + d], high ? high[first + d] : BFloat16{});
    }
  }
}

float score_scale(const AttentionLayout& layout) {
  return 1 / std::sqrt(static_cast<float>(layout.head_size));
}
constexpr float kLog2E = std::numbers::log2e_v<float>;

struct ForwardMemory {
  ForwardMemory(Pieces pieces, const AttentionLayout& layout) {
    const Extents e(layout);
    const std::int64_t keys = round_up(layout.longest, kTile);
    keys_by_head = pieces.take<Pair>(keys * e.pairs);
    values_by_row = pieces.take<Pair>(keys / 2 * e.width);
    queries = pieces.take<Pair>(kTile * e.pairs);
    scores = pieces.take<float>(kTile * kTile);
    weights = pieces.take<Pair>(kTile * kTile / 2);
    sums = pieces.take<float>(kTile * e.width);
    maximum = pieces.take<float>(kTile);
    sum = pieces.take<float>(kTile * 16);
    dropped = pieces.take<std::uint64_t>(kTile * kDroppedWords);
    bytes = pieces.used();
  }
  Pair* keys_by_head;   // per 32 keys [pairs, 32]
  Pair* values_by_row;  // per tile of keys, per 32 columns [keys / 2, 32]
  Pair* queries;        // per 8 queries [pairs, 8]
  float* scores;        // [kTile, kTile]
  Pair* weights;        // [kTile, kTile / 2]
  float* sums;          // [kTile, width]
  float* maximum;       // [kTile]
  float* sum;           // [kTile, 16]
  std::uint64_t* dropped;
  std::int64_t bytes;
};

// `rows` queries from `first` on, packed already, against all keys.
void forward_tile(const AttentionForwardArgs& a, const Item& item, std::int64_t first,
                  std::int64_t rows, ForwardMemory& m) {
  const Extents e(a.layout);
  const std::int64_t padded_rows = round_up(rows, kBlockRows);
  std::fill_n(m.sums, padded_rows * e.width, 0.0f);
  std::fill_n(m.maximum, padded_rows, avx512::kNoMaximum);
  std::fill_n(m.sum, padded_rows * 16, 0.0f);
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t valid = std::min(kTile, item.rows - key);
    const std::int64_t keys = round_up(valid, kBlockColumns);
    avx512::product(avx512::PairPanels{m.queries}, m.keys_by_head + key * e.pairs,
                    {m.scores, kTile}, padded_rows, keys, e.pairs, false);
    if (a.dropout.enabled)
      dropped_keys(a.dropout, item, {first, first + rows}, {key, key + valid}, m.dropped);
    avx512::softmax({.scores = m.scores,
                     .weights = m.weights,
                     .rows = rows,
                     .keys = keys,
                     .valid = valid,
                     .stride = kTile,
                     .scale = kLog2E * score_scale(a.layout),
                     .dropped = a.dropout.enabled ? m.dropped : nullptr,
                     .maximum = m.maximum,
                     .sum = m.sum,
                     .sums = {m.sums, e.width},
                     .width = e.width});
    avx512::product(avx512::PairRows{m.weights, kTile / 2}, m.values_by_row + key / 2 * e.width,
                    {m.sums, e.width}, padded_rows, e.width, keys / 2, true);
  }
}

void forward_part(const AttentionForwardArgs& a, const Part& part, ForwardMemory m) {
  const Extents e(a.layout);
  const Item& item = part.item;
  const Rows keys = head_of<const BFloat16>(a.keys, item.first_row, item, a.layout);
  const Rows values = head_of<const BFloat16>(a.values, item.first_row, item, a.layout);
  const Rows queries = head_of<const BFloat16>(a.queries, item.first_query, item, a.layout);
  const auto y = query_rows_of<BFloat16>(a.y, item, a.layout);
  auto* const log_sums =
      static_cast<float*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  const float scale = kept_scale<float>(a.dropout);
  pack_along_head<kBlockColumns>(keys, item.rows, e, m.keys_by_head);
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t valid = std::min(kTile, item.rows - key);
    pack_along_rows(values.from(key), valid, round_up(valid, kBlockColumns), e,
                    m.values_by_row + key / 2 * e.width);
  }
  for (std::int64_t first = part.queries.begin; first < part.queries.end; first += kTile) {
    const std::int64_t rows = std::min(kTile, part.queries.end - first);
    pack_along_head<kBlockRows>(queries.from(first), rows, e, m.queries);
    forward_tile(a, item, first, rows, m);
    for (std::int64_t r = 0; r < rows; ++r) {
      float sum = 0;
      for (std::int64_t lane = 0; lane < 16; ++lane) sum += m.sum[16 * r + lane];
      write_scaled(m.sums + r * e.width, e.width, 1, e.head_size, scale / sum, y.from(first + r),
                   false);
      log_sums[(first + r) * a.layout.heads] = m.maximum[r] * score_scale(a.layout) + std::log(sum);
    }
  }
}

struct BackwardMemory {
  BackwardMemory(Pieces pieces, const AttentionLayout& layout, std::int64_t most_queries) {
    const Extents e(layout);
    const std::int64_t queries = round_up(most_queries, kTile);
    queries_by_head = pieces.take<Pair>(queries * e.pairs);
    dy_by_head = pieces.take<Pair>(queries * e.pairs);
    queries_by_row = pieces.take<Pair>(queries / 2 * e.width);
    dy_by_row = pieces.take<Pair>(queries / 2 * e.width);
    log2_sums = pieces.take<float>(queries);
    sum_dy_y = pieces.take<float>(queries);
    dqueries = pieces.take<float>(queries * e.width);
    keys_by_head = pieces.take<Pair>(kTile * e.pairs);
    values_by_head = pieces.take<Pair>(kTile * e.pairs);
    keys_by_row = pieces.take<Pair>(kTile / 2 * e.width);
    dkeys = pieces.take<float>(kTile * e.width);
    dvalues = pieces.take<float>(kTile * e.width);
    weights_by_key = pieces.take<Pair>(kTile * kTile / 2);
    dscores_by_key = pieces.take<Pair>(kTile * kTile / 2);
    dscores = pieces.take<Pair>(kTile * kTile / 2);
    dropped = pieces.take<std::uint64_t>(kTile * kDroppedWords);
    bytes = pieces.used();
  }
  // Of all queries of a part:
  Pair *queries_by_head, *dy_by_head;  // per 8 queries [pairs, 8]
  Pair *queries_by_row, *dy_by_row;    // per tile of queries, per 32 columns [queries / 2, 32]
  float *log2_sums, *sum_dy_y;         // [queries]
  float* dqueries;                     // [queries, width]
  // Of one tile of keys:
  Pair *keys_by_head, *values_by_head;  // per 32 keys [pairs, 32]
  Pair* keys_by_row;                    // per 32 columns [keys / 2, 32]
  float *dkeys, *dvalues;               // [kTile, width]
  // Of one tile of queries against one of keys:
  Pair *weights_by_key, *dscores_by_key;  // per 8 keys [queries / 2, 8]
  Pair* dscores;                          // [kTile, kTile / 2]
  std::uint64_t* dropped;
  std::int64_t bytes;
};

// log2 of the sums of exponentials, and sums over columns of dy * y; zero for queries that only
// pad.
void load_statistics(const AttentionBackwardArgs& a, const Part& part, BackwardMemory& m) {
  const Item& item = part.item;
  const auto y = query_rows_of<const BFloat16>(a.y, item, a.layout);
  const auto dy = query_rows_of<const BFloat16>(a.dy, item, a.layout);
  const auto* const log_sums =
      static_cast<const float*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  const std::int64_t rows = part.queries.end - part.queries.begin;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = part.queries.begin + r;
    const BFloat16 *y_row = y.row(row), *dy_row = dy.row(row);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t d = 0; d < a.layout.head_size; ++d)
      sum += static_cast<float>(y_row[d]) * static_cast<float>(dy_row[d]);
    m.sum_dy_y[r] = sum;
    m.log2_sums[r] = kLog2E * log_sums[row * a.layout.heads];
  }
  const std::int64_t padded = round_up(rows, kBlockRows);
  std::fill(m.sum_dy_y + rows, m.sum_dy_y + padded, 0.0f);
  std::fill(m.log2_sums + rows, m.log2_sums + padded, 0.0f);
}

void load_queries(const AttentionBackwardArgs& a, const Part& part, BackwardMemory& m) {
  const Extents e(a.layout);
  const std::int64_t begin = part.queries.begin, count = part.queries.end - begin;
  const Rows queries =
      head_of<const BFloat16>(a.queries, part.item.first_query + begin, part.item, a.layout);
  const Rows dy = query_rows_of<const BFloat16>(a.dy, part.item, a.layout).from(begin);
  pack_along_head<kBlockRows>(queries, count, e, m.queries_by_head);
  pack_along_head<kBlockRows>(dy, count, e, m.dy_by_head);
  for (std::int64_t first = 0; part.wants_keys && first < count; first += kTile) {
    const std::int64_t rows = std::min(kTile, count - first), padded = round_up(rows, kBlockRows);
    const std::int64_t at = first / 2 * e.width;
    pack_along_rows(queries.from(first), rows, padded, e, m.queries_by_row + at);
    pack_along_rows(dy.from(first), rows, padded, e, m.dy_by_row + at);
  }
  load_statistics(a, part, m);
  std::fill_n(m.dqueries, round_up(count, kBlockRows) * e.width, 0.0f);
}

// All queries of a part against its keys [key, key + valid), which are loaded already.
void backward_tile(const AttentionBackwardArgs& a, const Part& part, std::int64_t key,
                   std::int64_t valid, BackwardMemory& m) {
  const Extents e(a.layout);
  const std::int64_t keys = round_up(valid, kBlockColumns);
  const std::int64_t begin = part.queries.begin, count = part.queries.end - begin;
  for (std::int64_t first = 0; first < count; first += kTile) {
    const std::int64_t here = std::min(kTile, count - first), rows = round_up(here, kBlockRows);
    if (a.dropout.enabled)
      dropped_keys(a.dropout, part.item, {begin + first, begin + first + here}, {key, key + valid},
                   m.dropped);
    avx512::softmax_backward({.queries = m.queries_by_head + first * e.pairs,
                              .dy = m.dy_by_head + first * e.pairs,
                              .keys = m.keys_by_head,
                              .values = m.values_by_head,
                              .rows = rows,
                              .keys_padded = keys,
                              .valid = valid,
                              .inner = e.pairs,
                              .scale = kLog2E * score_scale(a.layout),
                              .dropout_scale = kept_scale<float>(a.dropout),
                              .log2_sums = m.log2_sums + first,
                              .sum_dy_y = m.sum_dy_y + first,
                              .dropped = a.dropout.enabled ? m.dropped : nullptr,
                              .stride = kTile,
                              .weights_by_key = m.weights_by_key,
                              .dscores_by_key = m.dscores_by_key,
                              .dscores = m.dscores});
    const std::int64_t at = first / 2 * e.width;
    if (part.wants_keys) {
      avx512::product(avx512::PairPanels{m.weights_by_key}, m.dy_by_row + at, {m.dvalues, e.width},
                      keys, e.width, rows / 2, true);
      avx512::product(avx512::PairPanels{m.dscores_by_key}, m.queries_by_row + at,
                      {m.dkeys, e.width}, keys, e.width, rows / 2, true);
    }
    if (part.wants_queries)
      avx512::product(avx512::PairRows{m.dscores, kTile / 2}, m.keys_by_row,
                      {m.dqueries + first * e.width, e.width}, rows, e.width, keys / 2, true);
  }
}

void backward_part(const AttentionBackwardArgs& a, Part part, BackwardMemory m) {
  part.wants_queries = part.wants_queries && a.dqueries.data;
  part.wants_keys = part.wants_keys && a.dkeys.data;
  if (!part.wants_queries && !part.wants_keys) return;
  const Extents e(a.layout);
  const Item& item = part.item;
  const Rows keys = head_of<const BFloat16>(a.keys, item.first_row, item, a.layout);
  const Rows values = head_of<const BFloat16>(a.values, item.first_row, item, a.layout);
  const float dropout_scale = kept_scale<float>(a.dropout);
  const auto gradient = [&](const Gradient& g, std::int64_t stride, std::int64_t row) {
    return head_of<BFloat16>(RowsOfHeads<void*>{g.data, stride}, row, item, a.layout);
  };
  load_queries(a, part, m);
  for (std::int64_t key = part.keys.begin; key < part.keys.end; key += kTile) {
    const std::int64_t valid = std::min(kTile, part.keys.end - key);
    const std::int64_t padded = round_up(valid, kBlockColumns);
    pack_along_head<kBlockColumns>(keys.from(key), valid, e, m.keys_by_head);
    pack_along_head<kBlockColumns>(values.from(key), valid, e, m.values_by_head);
    if (part.wants_queries) pack_along_rows(keys.from(key), valid, padded, e, m.keys_by_row);
    std::fill_n(m.dkeys, padded * e.width, 0.0f);
    std::fill_n(m.dvalues, padded * e.width, 0.0f);
    backward_tile(a, part, key, valid, m);
    if (!part.wants_keys) continue;
    write_scaled(m.dkeys, e.width, valid, e.head_size, score_scale(a.layout),
                 gradient(a.dkeys, a.keys.stride, item.first_row + key), a.dkeys.accumulate);
    write_scaled(m.dvalues, e.width, valid, e.head_size, dropout_scale,
                 gradient(a.dvalues, a.values.stride, item.first_row + key), a.dvalues.accumulate);
  }
  if (part.wants_queries)
    write_scaled(m.dqueries, e.width, part.queries.end - part.queries.begin, e.head_size,
                 score_scale(a.layout),
                 gradient(a.dqueries, a.queries.stride, item.first_query + part.queries.begin),
                 a.dqueries.accumulate);
}

std::int64_t most_queries(const AttentionLayout& layout) {
  std::int64_t most = 0;
  for (std::int64_t c = 0; c < layout.cells; ++c)
    most = std::max(most, layout.query_offsets[c + 1] - layout.query_offsets[c]);
  return most;
}

std::int64_t bytes_per_worker(const AttentionLayout& layout, bool backward) {
  return backward ? BackwardMemory(Pieces(nullptr), layout, most_queries(layout)).bytes
                  : ForwardMemory(Pieces(nullptr), layout).bytes;
}

std::int64_t workspace(const AttentionLayout& layout, bool backward) {
  return layout.workers * bytes_per_worker(layout, backward);
}

void forward(const AttentionForwardArgs& args) {
  for_each_part(PartList(args.layout, kTile, false), args.workspace,
                bytes_per_worker(args.layout, false), [&](const Part& part, Pieces pieces) {
                  forward_part(args, part, ForwardMemory(pieces, args.layout));
                });
}

void backward(const AttentionBackwardArgs& args) {
  const std::int64_t queries = most_queries(args.layout);
  for_each_part(PartList(args.layout, kTile, true), args.workspace,
                bytes_per_worker(args.layout, true), [&](const Part& part, Pieces pieces) {
                  backward_part(args, part, BackwardMemory(pieces, args.layout, queries));
                });
}

constexpr AttentionPasses kPasses{workspace, forward, backward};

}  // namespace

const AttentionPasses* bf16_pair_attention() {
  return cpu_features().avx512_bf16 ? &kPasses : nullptr;
}

}  // namespace lodestone::kernels
