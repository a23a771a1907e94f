// The same algorithm as in attention_portable.cpp on the tile kernels of attention_avx512.h, for
// f32 and bf16.
//
// In bf16, probabilities and gradients of scores are rounded to bf16 where they enter a product, as
// every bf16 attention does; scores, statistics and sums are f32.
//
// The backward takes tiles of keys one after another and passes all queries by each: gradients of a
// tile of keys stay in the second-level cache, those of the queries are summed in f32 in memory. A
// product wants its operands in words along its inner extent, so queries, dy and keys are packed
// twice: along the head for scores, along the rows for gradients.
#include <cmath>
#include <numbers>

#include "kernels/cpu/attention_avx512.h"
#include "kernels/cpu/attention_items.h"
#include "kernels/cpu/attention_packing.h"
#include "kernels/cpu/attention_passes.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace avx512 {

namespace {

constexpr std::int64_t kTile = 128;  // queries or keys
static_assert(kernels::kDroppedWords == kDroppedWords && kTile <= 64 * kDroppedWords);

float score_scale(const AttentionLayout& layout) {
  return 1 / std::sqrt(static_cast<float>(layout.head_size));
}
constexpr float kLog2E = std::numbers::log2e_v<float>;

template <class T>
struct ForwardMemory {
  using Word = WordOf<T>;
  ForwardMemory(Pieces pieces, const AttentionLayout& layout) {
    const Extents<T> e(layout);
    const std::int64_t keys = round_up(layout.longest, kTile);
    keys_by_head = pieces.take<Word>(keys * e.words);
    values_by_row = pieces.take<Word>(keys / kElements<Word> * e.width);
    queries = pieces.take<Word>(kTile * e.words);
    scores = pieces.take<float>(kTile * kTile);
    weights = pieces.take<Word>(kTile * kTile / kElements<Word>);
    sums = pieces.take<float>(kTile * e.width);
    maximum = pieces.take<float>(kTile);
    sum = pieces.take<float>(kTile * 16);
    dropped = pieces.take<std::uint64_t>(kTile * kDroppedWords);
    bytes = pieces.used();
  }
  Word* keys_by_head;   // per 32 keys [words, 32]
  Word* values_by_row;  // per tile of keys, per 32 columns [keys, 32]
  Word* queries;        // per 8 queries [words, 8]
  float* scores;        // [kTile, kTile]
  Word* weights;        // [kTile, kTile]
  float* sums;          // [kTile, width]
  float* maximum;       // [kTile]
  float* sum;           // [kTile, 16]
  std::uint64_t* dropped;
  std::int64_t bytes;
};

// `rows` queries from `first` on, packed already, against all keys.
template <class T>
void forward_tile(const AttentionForwardArgs& a, const Item& item, std::int64_t first,
                  std::int64_t rows, ForwardMemory<T>& m) {
  using Word = WordOf<T>;
  const Extents<T> e(a.layout);
  const std::int64_t padded_rows = round_up(rows, kBlockRows);
  std::fill_n(m.sums, padded_rows * e.width, 0.0f);
  std::fill_n(m.maximum, padded_rows, kNoMaximum);
  std::fill_n(m.sum, padded_rows * 16, 0.0f);
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t valid = std::min(kTile, item.rows - key);
    const std::int64_t keys = round_up(valid, kBlockColumns);
    product(Panels<Word>{m.queries}, m.keys_by_head + key * e.words, {m.scores, kTile}, padded_rows,
            keys, e.words, false);
    if (a.dropout.enabled)
      dropped_keys(a.dropout, item, {first, first + rows}, {key, key + valid}, m.dropped);
    softmax<Word>({.scores = m.scores,
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
    product(Rows<Word>{m.weights, kTile / kElements<Word>},
            m.values_by_row + key / kElements<Word> * e.width, {m.sums, e.width}, padded_rows,
            e.width, keys / kElements<Word>, true);
  }
}

template <class T>
void forward_part(const AttentionForwardArgs& a, const Part& part, ForwardMemory<T> m) {
  const Extents<T> e(a.layout);
  const Item& item = part.item;
  const auto keys = head_of<const T>(a.keys, item.first_row, item, a.layout);
  const auto values = head_of<const T>(a.values, item.first_row, item, a.layout);
  const auto queries = head_of<const T>(a.queries, item.first_query, item, a.layout);
  const auto y = query_rows_of<T>(a.y, item, a.layout);
  auto* const log_sums =
      static_cast<float*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  const float scale = kept_scale<float>(a.dropout);
  pack_along_head<kBlockColumns>(keys, item.rows, e, m.keys_by_head);
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t valid = std::min(kTile, item.rows - key);
    pack_along_rows(values.from(key), valid, round_up(valid, kBlockColumns), e,
                    m.values_by_row + key / kElements<WordOf<T>> * e.width);
  }
  for (std::int64_t first = part.queries.begin; first < part.queries.end; first += kTile) {
    const std::int64_t rows = std::min(kTile, part.queries.end - first);
    pack_along_head<kBlockRows>(queries.from(first), rows, e, m.queries);
    forward_tile<T>(a, item, first, rows, m);
    for (std::int64_t r = 0; r < rows; ++r) {
      float sum = 0;
      for (std::int64_t lane = 0; lane < 16; ++lane) sum += m.sum[16 * r + lane];
      write_scaled(m.sums + r * e.width, e.width, 1, e.head_size, scale / sum, y.from(first + r),
                   false);
      log_sums[(first + r) * a.layout.heads] = m.maximum[r] * score_scale(a.layout) + std::log(sum);
    }
  }
}

template <class T>
struct BackwardMemory {
  using Word = WordOf<T>;
  BackwardMemory(Pieces pieces, const AttentionLayout& layout, std::int64_t most_queries) {
    const Extents<T> e(layout);
    const std::int64_t queries = round_up(most_queries, kTile);
    queries_by_head = pieces.take<Word>(queries * e.words);
    dy_by_head = pieces.take<Word>(queries * e.words);
    queries_by_row = pieces.take<Word>(queries / kElements<Word> * e.width);
    dy_by_row = pieces.take<Word>(queries / kElements<Word> * e.width);
    log2_sums = pieces.take<float>(queries);
    sum_dy_y = pieces.take<float>(queries);
    dqueries = pieces.take<float>(queries * e.width);
    keys_by_head = pieces.take<Word>(kTile * e.words);
    values_by_head = pieces.take<Word>(kTile * e.words);
    keys_by_row = pieces.take<Word>(kTile / kElements<Word> * e.width);
    dkeys = pieces.take<float>(kTile * e.width);
    dvalues = pieces.take<float>(kTile * e.width);
    weights_by_key = pieces.take<Word>(kTile * kTile / kElements<Word>);
    dscores_by_key = pieces.take<Word>(kTile * kTile / kElements<Word>);
    dscores = pieces.take<Word>(kTile * kTile / kElements<Word>);
    dropped = pieces.take<std::uint64_t>(kTile * kDroppedWords);
    bytes = pieces.used();
  }
  // Of all queries of a part:
  Word *queries_by_head, *dy_by_head;  // per 8 queries [words, 8]
  Word *queries_by_row, *dy_by_row;    // per tile of queries, per 32 columns [queries, 32]
  float *log2_sums, *sum_dy_y;         // [queries]
  float* dqueries;                     // [queries, width]
  // Of one tile of keys:
  Word *keys_by_head, *values_by_head;  // per 32 keys [words, 32]
  Word* keys_by_row;                    // per 32 columns [keys, 32]
  float *dkeys, *dvalues;               // [kTile, width]
  // Of one tile of queries against one of keys:
  Word *weights_by_key, *dscores_by_key;  // per 8 keys [queries, 8]
  Word* dscores;                          // [kTile, kTile]
  std::uint64_t* dropped;
  std::int64_t bytes;
};

// log2 of the sums of exponentials, and sums over columns of dy * y; zero for queries that only
// pad.
template <class T>
void load_statistics(const AttentionBackwardArgs& a, const Part& part, BackwardMemory<T>& m) {
  const Item& item = part.item;
  const auto y = query_rows_of<const T>(a.y, item, a.layout);
  const auto dy = query_rows_of<const T>(a.dy, item, a.layout);
  const auto* const log_sums =
      static_cast<const float*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  const std::int64_t rows = part.queries.end - part.queries.begin;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = part.queries.begin + r;
    expect_row(y, row + kRowsAhead, a.layout.head_size);
    const T *y_row = y.row(row), *dy_row = dy.row(row);
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

template <class T>
void load_queries(const AttentionBackwardArgs& a, const Part& part, BackwardMemory<T>& m) {
  const Extents<T> e(a.layout);
  const std::int64_t begin = part.queries.begin, count = part.queries.end - begin;
  const auto queries =
      head_of<const T>(a.queries, part.item.first_query + begin, part.item, a.layout);
  const auto dy = query_rows_of<const T>(a.dy, part.item, a.layout).from(begin);
  pack_along_head<kBlockRows>(queries, count, e, m.queries_by_head);
  pack_along_head<kBlockRows>(dy, count, e, m.dy_by_head);
  for (std::int64_t first = 0; part.wants_keys && first < count; first += kTile) {
    const std::int64_t rows = std::min(kTile, count - first), padded = round_up(rows, kBlockRows);
    const std::int64_t at = first / kElements<WordOf<T>> * e.width;
    pack_along_rows(queries.from(first), rows, padded, e, m.queries_by_row + at);
    pack_along_rows(dy.from(first), rows, padded, e, m.dy_by_row + at);
  }
  load_statistics(a, part, m);
  std::fill_n(m.dqueries, round_up(count, kBlockRows) * e.width, 0.0f);
}

// All queries of a part against its keys [key, key + valid), which are loaded already.
template <class T>
void backward_tile(const AttentionBackwardArgs& a, const Part& part, std::int64_t key,
                   std::int64_t valid, BackwardMemory<T>& m) {
  using Word = WordOf<T>;
  const Extents<T> e(a.layout);
  const std::int64_t keys = round_up(valid, kBlockColumns);
  const std::int64_t begin = part.queries.begin, count = part.queries.end - begin;
  for (std::int64_t first = 0; first < count; first += kTile) {
    const std::int64_t here = std::min(kTile, count - first), rows = round_up(here, kBlockRows);
    if (a.dropout.enabled)
      dropped_keys(a.dropout, part.item, {begin + first, begin + first + here}, {key, key + valid},
                   m.dropped);
    softmax_backward<Word>({.queries = m.queries_by_head + first * e.words,
                            .dy = m.dy_by_head + first * e.words,
                            .keys = m.keys_by_head,
                            .values = m.values_by_head,
                            .rows = rows,
                            .keys_padded = keys,
                            .valid = valid,
                            .inner = e.words,
                            .scale = kLog2E * score_scale(a.layout),
                            .dropout_scale = kept_scale<float>(a.dropout),
                            .log2_sums = m.log2_sums + first,
                            .sum_dy_y = m.sum_dy_y + first,
                            .dropped = a.dropout.enabled ? m.dropped : nullptr,
                            .stride = kTile,
                            .weights_by_key = m.weights_by_key,
                            .dscores_by_key = m.dscores_by_key,
                            .dscores = m.dscores});
    const std::int64_t at = first / kElements<Word> * e.width;
    if (part.wants_keys) {
      product(Panels<Word>{m.weights_by_key}, m.dy_by_row + at, {m.dvalues, e.width}, keys, e.width,
              rows / kElements<Word>, true);
      product(Panels<Word>{m.dscores_by_key}, m.queries_by_row + at, {m.dkeys, e.width}, keys,
              e.width, rows / kElements<Word>, true);
    }
    if (part.wants_queries)
      product(Rows<Word>{m.dscores, kTile / kElements<Word>}, m.keys_by_row,
              {m.dqueries + first * e.width, e.width}, rows, e.width, keys / kElements<Word>, true);
  }
}

template <class T>
void backward_part(const AttentionBackwardArgs& a, Part part, BackwardMemory<T> m) {
  part.wants_queries &= a.dqueries.data != nullptr && part.queries.begin < part.queries.end;
  part.wants_keys &= a.dkeys.data != nullptr && part.keys.begin < part.keys.end;
  if (!part.wants_queries && !part.wants_keys) return;
  const Extents<T> e(a.layout);
  const Item& item = part.item;
  const auto keys = head_of<const T>(a.keys, item.first_row, item, a.layout);
  const auto values = head_of<const T>(a.values, item.first_row, item, a.layout);
  const float dropout_scale = kept_scale<float>(a.dropout);
  const auto gradient = [&](const Gradient& g, std::int64_t stride, std::int64_t row) {
    return head_of<T>(RowsOfHeads<void*>{g.data, stride}, row, item, a.layout);
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

template <class T>
std::int64_t bytes_per_worker(const AttentionLayout& layout, bool backward) {
  return backward ? BackwardMemory<T>(Pieces(nullptr), layout, most_queries(layout)).bytes
                  : ForwardMemory<T>(Pieces(nullptr), layout).bytes;
}

template <class T>
std::int64_t workspace(const AttentionLayout& layout, bool backward) {
  return layout.workers * bytes_per_worker<T>(layout, backward);
}

template <class T>
void forward(const AttentionForwardArgs& args) {
  for_each_part(PartList(args.layout, kTile, false), args.workspace,
                bytes_per_worker<T>(args.layout, false), [&](const Part& part, Pieces pieces) {
                  forward_part(args, part, ForwardMemory<T>(pieces, args.layout));
                });
}

template <class T>
void backward(const AttentionBackwardArgs& args) {
  const std::int64_t queries = most_queries(args.layout);
  for_each_part(PartList(args.layout, kTile, true), args.workspace,
                bytes_per_worker<T>(args.layout, true), [&](const Part& part, Pieces pieces) {
                  backward_part(args, part, BackwardMemory<T>(pieces, args.layout, queries));
                });
}

template <class T>
constexpr AttentionPasses kPasses{workspace<T>, forward<T>, backward<T>};

}  // namespace

}  // namespace avx512

const AttentionPasses* avx512_attention(DType dtype) {
  if (dtype == DType::kF32 && cpu_features().avx512) return &avx512::kPasses<float>;
  if (dtype == DType::kBf16 && cpu_features().avx512_bf16) return &avx512::kPasses<BFloat16>;
  return nullptr;
}

}  // namespace lodestone::kernels
