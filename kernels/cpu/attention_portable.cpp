// Tiled attention with a running softmax (Dao et al., "FlashAttention", 2022), on any processor:
// f64, and f32 and bf16 where there is no AVX-512.
//
// Nothing is shared between heads or cells, so a result depends neither on the other cells nor on
// who computed it. The keys and values of an item (one head of one cell) are copied once into f32
// (f64) with the layout that the products need; then its queries pass by in tiles of 96, and for
// each of these its keys in tiles of 96. Memory: the copies (2 rows of a head per key, 6 in the
// backward) and a few tiles; never the square of scores. The backward recomputes probabilities from
// the log-sum-exp of every query; it keeps the gradients of all keys and values of an item, and the
// gradient of one tile of queries. Work: 4 L^2 D operations forward, 10 L^2 D backward for a cell
// of L rows, nearly all in tile_product.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/attention_items.h"
#include "kernels/cpu/attention_passes.h"
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/tile_product.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

constexpr std::int64_t kTile = 96;  // queries or keys
static_assert(kTile % kTileRows == 0 && kTile % kTileColumns<float> == 0);
static_assert(kTile % 4 == 0 && kTile <= 64 * kDroppedWords);

// A worker's buffers. `width` is a head's size rounded up to whole register blocks; what pads a row
// is zero.
template <class Real>
struct Scratch {
  Scratch(Pieces pieces, std::int64_t longest, std::int64_t head_size, bool for_backward)
      : width(round_up(head_size, kTileColumns<Real>)) {
    const auto take = [&](std::int64_t count) { return pieces.take<Real>(count); };
    const std::int64_t transposed = round_up(longest, kTile) * head_size;
    keys_transposed = take(transposed);
    queries = take(kTile * width);
    scores = take(kTile * kTile);
    sums = take(kTile * width);
    row_maximum = take(kTile);
    row_sum = take(kTile);
    values = take(for_backward ? transposed : longest * width);
    dropped = pieces.take<std::uint64_t>(kTile * kDroppedWords);
    bytes = pieces.used();
    if (!for_backward) return;
    keys = take(longest * width);
    dkeys = take(longest * width);
    dvalues = take(longest * width);
    dy = take(kTile * width);
    dscores = take(kTile * kTile);
    bytes = pieces.used();
  }

  std::int64_t width;
  Real* keys_transposed;   // per tile of keys: [head_size, kTile]
  Real* queries;           // [kTile, width], divided by sqrt(head_size)
  Real* scores;            // [kTile, kTile]; then probabilities
  Real* sums;              // [kTile, width]: the result, or the gradient of the queries
  Real* row_maximum;       // [kTile], unused in the backward
  Real* row_sum;           // [kTile]; in the backward: sum over columns of dy * y
  Real* values;            // [longest, width]; in the backward transposed like the keys
  std::uint64_t* dropped;  // [kTile, kDroppedWords]
  std::int64_t bytes;
  // Of the backward alone:
  Real* keys = nullptr;     // [longest, width]
  Real* dkeys = nullptr;    // [longest, width]
  Real* dvalues = nullptr;  // [longest, width]
  Real* dy = nullptr;       // [kTile, width]
  Real* dscores = nullptr;  // [kTile, kTile]
};

// What queries are multiplied by before their products with keys.
template <class Real>
Real score_scale(const AttentionLayout& layout) {
  return 1 / std::sqrt(static_cast<Real>(layout.head_size));
}

template <class T, class Real>
void copy_scaled(HeadRows<const T> from, std::int64_t rows, std::int64_t head_size, Real scale,
                 Real* to, std::int64_t width) {
  for (std::int64_t r = 0; r < rows; ++r, to += width) {
    const T* row = from.row(r);
    for (std::int64_t d = 0; d < head_size; ++d) to[d] = scale * static_cast<Real>(row[d]);
    std::fill(to + head_size, to + width, Real{0});
  }
}

// Per tile of rows [head_size, kTile]; missing rows are zero.
template <class T, class Real>
void copy_transposed(HeadRows<const T> from, std::int64_t rows, std::int64_t head_size, Real* to) {
  for (std::int64_t first = 0; first < rows; first += kTile, to += kTile * head_size) {
    const std::int64_t here = std::min(kTile, rows - first);
    for (std::int64_t d = 0; d < head_size; ++d) {
      for (std::int64_t r = 0; r < here; ++r)
        to[d * kTile + r] = static_cast<Real>(from.row(first + r)[d]);
      std::fill(to + d * kTile + here, to + (d + 1) * kTile, Real{0});
    }
  }
}

// Turns one query's scores of a tile of keys into weights exp(score - maximum) and brings what was
// summed under a smaller maximum up to date.
template <class Real>
void running_softmax(Real* scores, std::int64_t keys, Real& maximum, Real& sum, Real* sums,
                     std::int64_t width) {
  Real highest = maximum;
#pragma omp simd reduction(max : highest)
  for (std::int64_t k = 0; k < keys; ++k) highest = scores[k] > highest ? scores[k] : highest;
  if (highest > maximum) {
    const Real shrink = exponential(maximum - highest);
    for (std::int64_t d = 0; d < width; ++d) sums[d] *= shrink;
    sum *= shrink;
    maximum = highest;
  }
  Real added = 0;
#pragma omp simd reduction(+ : added)
  for (std::int64_t k = 0; k < keys; ++k) {
    scores[k] = exponential(scores[k] - highest);
    added += scores[k];
  }
  sum += added;
}

// Calls use(k, factor) for every key of a tile: zero where it is dropped, else `kept`. In halves of
// words, because loops over these vectorise.
template <class Real, class Use>
void with_factors(const std::uint64_t* dropped, std::int64_t keys, Real kept, Use&& use) {
  for (std::int64_t first = 0; first < keys; first += 32) {
    const auto bits = static_cast<std::uint32_t>(dropped[first / 64] >> (first % 64));
    const std::int64_t count = std::min<std::int64_t>(32, keys - first);
#pragma omp simd
    for (std::int64_t k = 0; k < count; ++k) use(first + k, bits >> k & 1u ? Real{0} : kept);
  }
}

// `rows` queries from `first` on against all keys: leaves sums of weights times values.
template <class T>
void forward_tile(const AttentionForwardArgs& a, const Item& item, std::int64_t first,
                  std::int64_t rows, Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  std::fill_n(s.sums, rows * s.width, Real{0});
  std::fill_n(s.row_maximum, rows, -std::numeric_limits<Real>::infinity());
  std::fill_n(s.row_sum, rows, Real{0});
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t keys = std::min(kTile, item.rows - key);
    tile_product<Real>({s.queries, s.width, 1}, {s.keys_transposed + key * head_size, kTile},
                       {s.scores, kTile}, rows, round_up(keys, kTileColumns<Real>), head_size,
                       false);
    if (a.dropout.enabled)
      dropped_keys(a.dropout, item, {first, first + rows}, {key, key + keys}, s.dropped);
    for (std::int64_t r = 0; r < rows; ++r) {
      Real* scores = s.scores + r * kTile;
      running_softmax(scores, keys, s.row_maximum[r], s.row_sum[r], s.sums + r * s.width, s.width);
      if (a.dropout.enabled)
        with_factors(s.dropped + r * kDroppedWords, keys, Real{1},
                     [&](std::int64_t k, Real factor) { scores[k] *= factor; });
    }
    tile_product<Real>({s.scores, kTile, 1}, {s.values + key * s.width, s.width}, {s.sums, s.width},
                       rows, s.width, keys, true);
  }
}

template <class T>
void forward_part(const AttentionForwardArgs& a, const Part& part, Scratch<Compute<T>> s) {
  using Real = Compute<T>;
  const Item& item = part.item;
  const std::int64_t head_size = a.layout.head_size;
  const Real scale = kept_scale<Real>(a.dropout);
  const auto queries = head_of<const T>(a.queries, item.first_query, item, a.layout);
  const auto y = query_rows_of<T>(a.y, item, a.layout);
  Real* const log_sums =
      static_cast<Real*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  copy_transposed(head_of<const T>(a.keys, item.first_row, item, a.layout), item.rows, head_size,
                  s.keys_transposed);
  copy_scaled(head_of<const T>(a.values, item.first_row, item, a.layout), item.rows, head_size,
              Real{1}, s.values, s.width);
  for (std::int64_t first = part.queries.begin; first < part.queries.end; first += kTile) {
    const std::int64_t rows = std::min(kTile, part.queries.end - first);
    copy_scaled(queries.from(first), rows, head_size, score_scale<Real>(a.layout), s.queries,
                s.width);
    forward_tile<T>(a, item, first, rows, s);
    for (std::int64_t r = 0; r < rows; ++r) {
      write_scaled(s.sums + r * s.width, s.width, 1, head_size, scale / s.row_sum[r],
                   y.from(first + r), false);
      log_sums[(first + r) * a.layout.heads] = s.row_maximum[r] + std::log(s.row_sum[r]);
    }
  }
}

// Turns one query's scores into probabilities (as dropout leaves them), and the gradients of the
// latter into gradients of the scores.
template <class Real>
void softmax_backward(Real* scores, Real* dscores, std::int64_t keys, Real log_sum, Real sum_dy_y) {
  for (std::int64_t k = 0; k < keys; ++k) {
    scores[k] = exponential(scores[k] - log_sum);
    dscores[k] = scores[k] * (dscores[k] - sum_dy_y);
  }
}

template <class Real>
void softmax_dropout_backward(Real* scores, Real* dscores, const std::uint64_t* dropped, Real kept,
                              std::int64_t keys, Real log_sum, Real sum_dy_y) {
  with_factors(dropped, keys, kept, [&](std::int64_t k, Real factor) {
    const Real probability = exponential(scores[k] - log_sum);
    dscores[k] = probability * (dscores[k] * factor - sum_dy_y);
    scores[k] = probability * factor;
  });
}

// Scores and their gradients, of `rows` queries from `first` on and keys [key, key + keys).
template <class T>
void score_gradients(const AttentionBackwardArgs& a, const Item& item, std::int64_t first,
                     std::int64_t rows, std::int64_t key, std::int64_t keys,
                     Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const std::int64_t columns = round_up(keys, kTileColumns<Real>);
  tile_product<Real>({s.queries, s.width, 1}, {s.keys_transposed + key * head_size, kTile},
                     {s.scores, kTile}, rows, columns, head_size, false);
  tile_product<Real>({s.dy, s.width, 1}, {s.values + key * head_size, kTile}, {s.dscores, kTile},
                     rows, columns, head_size, false);
  if (a.dropout.enabled)
    dropped_keys(a.dropout, item, {first, first + rows}, {key, key + keys}, s.dropped);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = item.first_query + first + r;
    const Real log_sum = static_cast<const Real*>(a.log_sums)[row * a.layout.heads + item.head];
    Real* scores = s.scores + r * kTile;
    Real* dscores = s.dscores + r * kTile;
    if (a.dropout.enabled)
      softmax_dropout_backward(scores, dscores, s.dropped + r * kDroppedWords,
                               kept_scale<Real>(a.dropout), keys, log_sum, s.row_sum[r]);
    else
      softmax_backward(scores, dscores, keys, log_sum, s.row_sum[r]);
  }
}

// One tile of queries against a part's keys: adds to dkeys and dvalues, leaves the queries' in
// sums.
template <class T>
void backward_tile(const AttentionBackwardArgs& a, const Part& part, std::int64_t first,
                   std::int64_t rows, Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  std::fill_n(s.sums, rows * s.width, Real{0});
  for (std::int64_t key = part.keys.begin; key < part.keys.end; key += kTile) {
    const std::int64_t keys = std::min(kTile, part.keys.end - key);
    const std::int64_t at = key * s.width;
    score_gradients<T>(a, part.item, first, rows, key, keys, s);
    if (part.wants_keys) {
      tile_product<Real>({s.scores, 1, kTile}, {s.dy, s.width}, {s.dvalues + at, s.width}, keys,
                         s.width, rows, true);
      tile_product<Real>({s.dscores, 1, kTile}, {s.queries, s.width}, {s.dkeys + at, s.width}, keys,
                         s.width, rows, true);
    }
    if (part.wants_queries)
      tile_product<Real>({s.dscores, kTile, 1}, {s.keys + at, s.width}, {s.sums, s.width}, rows,
                         s.width, keys, true);
  }
}

// What a tile of queries brings: the queries, their dy, and sum over columns of dy * y.
template <class T>
void load_query_tile(const AttentionBackwardArgs& a, const Item& item, std::int64_t first,
                     std::int64_t rows, Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const auto queries = head_of<const T>(a.queries, item.first_query, item, a.layout);
  const auto y = query_rows_of<const T>(a.y, item, a.layout);
  const auto dy = query_rows_of<const T>(a.dy, item, a.layout);
  copy_scaled(queries.from(first), rows, head_size, score_scale<Real>(a.layout), s.queries,
              s.width);
  copy_scaled(dy.from(first), rows, head_size, Real{1}, s.dy, s.width);
  for (std::int64_t r = 0; r < rows; ++r) {
    Real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t d = 0; d < head_size; ++d)
      sum += s.dy[r * s.width + d] * static_cast<Real>(y.row(first + r)[d]);
    s.row_sum[r] = sum;
  }
}

template <class T>
void backward_part(const AttentionBackwardArgs& a, Part part, Scratch<Compute<T>> s) {
  using Real = Compute<T>;
  part.wants_queries &= a.dqueries.data != nullptr && part.queries.begin < part.queries.end;
  part.wants_keys &= a.dkeys.data != nullptr && part.keys.begin < part.keys.end;
  if (!part.wants_queries && !part.wants_keys) return;
  const Item& item = part.item;
  const std::int64_t head_size = a.layout.head_size, begin = part.keys.begin;
  const std::int64_t count = part.keys.end - begin;
  const auto keys = head_of<const T>(a.keys, item.first_row, item, a.layout);
  const auto values = head_of<const T>(a.values, item.first_row, item, a.layout);
  const auto gradient = [&](const Gradient& g, std::int64_t stride, std::int64_t row) {
    return head_of<T>(RowsOfHeads<void*>{g.data, stride}, row, item, a.layout);
  };
  copy_transposed(keys, item.rows, head_size, s.keys_transposed);
  copy_transposed(values, item.rows, head_size, s.values);
  copy_scaled(keys, item.rows, head_size, Real{1}, s.keys, s.width);
  Real *const dkeys = s.dkeys + begin * s.width, *const dvalues = s.dvalues + begin * s.width;
  std::fill_n(dkeys, count * s.width, Real{0});
  std::fill_n(dvalues, count * s.width, Real{0});
  for (std::int64_t first = part.queries.begin; first < part.queries.end; first += kTile) {
    const std::int64_t rows = std::min(kTile, part.queries.end - first);
    load_query_tile<T>(a, item, first, rows, s);
    backward_tile<T>(a, part, first, rows, s);
    if (part.wants_queries)
      write_scaled(s.sums, s.width, rows, head_size, score_scale<Real>(a.layout),
                   gradient(a.dqueries, a.queries.stride, item.first_query + first),
                   a.dqueries.accumulate);
  }
  if (!part.wants_keys) return;
  write_scaled(dkeys, s.width, count, head_size, Real{1},
               gradient(a.dkeys, a.keys.stride, item.first_row + begin), a.dkeys.accumulate);
  write_scaled(dvalues, s.width, count, head_size, Real{1},
               gradient(a.dvalues, a.values.stride, item.first_row + begin), a.dvalues.accumulate);
}

template <class Real>
Scratch<Real> scratch_of(Pieces pieces, const AttentionLayout& layout, bool backward) {
  return {pieces, layout.longest, layout.head_size, backward};
}

std::int64_t workspace(const AttentionLayout& layout, bool backward) {
  return visit_floating_cpu(layout.dtype, [&]<class T>() {
    return layout.workers * scratch_of<Compute<T>>(Pieces(nullptr), layout, backward).bytes;
  });
}

void forward(const AttentionForwardArgs& args) {
  visit_floating_cpu(args.layout.dtype, [&]<class T>() {
    for_each_part(PartList(args.layout, kTile, false), args.workspace,
                  workspace(args.layout, false) / args.layout.workers,
                  [&](const Part& part, Pieces pieces) {
                    forward_part<T>(args, part, scratch_of<Compute<T>>(pieces, args.layout, false));
                  });
  });
}

void backward(const AttentionBackwardArgs& args) {
  visit_floating_cpu(args.layout.dtype, [&]<class T>() {
    for_each_part(PartList(args.layout, kTile, true), args.workspace,
                  workspace(args.layout, true) / args.layout.workers,
                  [&](const Part& part, Pieces pieces) {
                    backward_part<T>(args, part, scratch_of<Compute<T>>(pieces, args.layout, true));
                  });
  });
}

}  // namespace

AttentionPasses portable_attention() {
  return {workspace, forward, backward};
}

}  // namespace lodestone::kernels
