// Tiled attention with a running softmax (Dao et al., "FlashAttention", 2022).
//
// An item is one head of one cell; workers take items from a list, longest first. Nothing is shared
// between items, so a result depends neither on the other cells nor on who computed it. An item's
// keys and values are copied once into f32 (f64) with the layout that the products need; then its
// queries pass by in tiles of 96, and for each of these its keys in tiles of 96. Memory: the copies
// (2 rows of a head per key, 6 in the backward) and a few tiles; never the square of scores.
// The backward recomputes probabilities from the log-sum-exp of every query; it keeps the gradients
// of all keys and values of an item, and the gradient of one tile of queries. Work: 4 L^2 D
// operations forward, 10 L^2 D backward for a cell of L rows, nearly all in tile_product.
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/attention_items.h"
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/tile_product.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

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

template <class T>
void forward_tile(const AttentionForwardArgs& a, const Item& item, std::int64_t first,
                  Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const std::int64_t rows = std::min(kTile, item.queries - first);
  std::fill_n(s.sums, rows * s.width, Real{0});
  std::fill_n(s.row_maximum, rows, -std::numeric_limits<Real>::infinity());
  std::fill_n(s.row_sum, rows, Real{0});
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t keys = std::min(kTile, item.rows - key);
    tile_product<Real>({s.queries, s.width, 1}, {s.keys_transposed + key * head_size, kTile},
                       {s.scores, kTile}, rows, round_up(keys, kTileColumns<Real>), head_size,
                       false);
    for (std::int64_t r = 0; r < rows; ++r) {
      Real* scores = s.scores + r * kTile;
      running_softmax(scores, keys, s.row_maximum[r], s.row_sum[r], s.sums + r * s.width, s.width);
      if (!a.dropout.enabled) continue;
      Real factors[kTile];
      dropout_factors(a.dropout, item.first_query + first + r, item.head, key, keys, factors);
      for (std::int64_t k = 0; k < keys; ++k) scores[k] *= factors[k];
    }
    tile_product<Real>({s.scores, kTile, 1}, {s.values + key * s.width, s.width}, {s.sums, s.width},
                       rows, s.width, keys, true);
  }
}

template <class T>
void forward_item(const AttentionForwardArgs& a, const Item& item, Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const auto queries = head_of<const T>(a.queries, item.first_query, item, a.layout);
  const auto y = query_rows_of<T>(a.y, item, a.layout);
  Real* const log_sums =
      static_cast<Real*>(a.log_sums) + item.first_query * a.layout.heads + item.head;
  copy_transposed(head_of<const T>(a.keys, item.first_row, item, a.layout), item.rows, head_size,
                  s.keys_transposed);
  copy_scaled(head_of<const T>(a.values, item.first_row, item, a.layout), item.rows, head_size,
              Real{1}, s.values, s.width);
  for (std::int64_t first = 0; first < item.queries; first += kTile) {
    const std::int64_t rows = std::min(kTile, item.queries - first);
    copy_scaled(queries.from(first), rows, head_size, score_scale<Real>(a.layout), s.queries,
                s.width);
    forward_tile<T>(a, item, first, s);
    for (std::int64_t r = 0; r < rows; ++r) {
      write_scaled(s.sums + r * s.width, s.width, 1, head_size, 1 / s.row_sum[r], y.from(first + r),
                   false);
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
void softmax_dropout_backward(Real* scores, Real* dscores, const Real* factors, std::int64_t keys,
                              Real log_sum, Real sum_dy_y) {
  for (std::int64_t k = 0; k < keys; ++k) {
    const Real probability = exponential(scores[k] - log_sum);
    dscores[k] = probability * (dscores[k] * factors[k] - sum_dy_y);
    scores[k] = probability * factors[k];
  }
}

// One tile of queries against all keys: adds to dkeys and dvalues, leaves the queries' in sums.
template <class T>
void backward_tile(const AttentionBackwardArgs& a, const Item& item, std::int64_t first,
                   Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const std::int64_t rows = std::min(kTile, item.queries - first);
  std::fill_n(s.sums, rows * s.width, Real{0});
  for (std::int64_t key = 0; key < item.rows; key += kTile) {
    const std::int64_t keys = std::min(kTile, item.rows - key);
    const std::int64_t columns = round_up(keys, kTileColumns<Real>);
    tile_product<Real>({s.queries, s.width, 1}, {s.keys_transposed + key * head_size, kTile},
                       {s.scores, kTile}, rows, columns, head_size, false);
    tile_product<Real>({s.dy, s.width, 1}, {s.values + key * head_size, kTile}, {s.dscores, kTile},
                       rows, columns, head_size, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t row = item.first_query + first + r;
      const Real log_sum = static_cast<const Real*>(a.log_sums)[row * a.layout.heads + item.head];
      Real* scores = s.scores + r * kTile;
      Real* dscores = s.dscores + r * kTile;
      if (!a.dropout.enabled) {
        softmax_backward(scores, dscores, keys, log_sum, s.row_sum[r]);
        continue;
      }
      Real factors[kTile];
      dropout_factors(a.dropout, row, item.head, key, keys, factors);
      softmax_dropout_backward(scores, dscores, factors, keys, log_sum, s.row_sum[r]);
    }
    const std::int64_t at = key * s.width;
    tile_product<Real>({s.scores, 1, kTile}, {s.dy, s.width}, {s.dvalues + at, s.width}, keys,
                       s.width, rows, true);
    tile_product<Real>({s.dscores, 1, kTile}, {s.queries, s.width}, {s.dkeys + at, s.width}, keys,
                       s.width, rows, true);
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
void backward_item(const AttentionBackwardArgs& a, const Item& item, Scratch<Compute<T>>& s) {
  using Real = Compute<T>;
  const std::int64_t head_size = a.layout.head_size;
  const auto keys = head_of<const T>(a.keys, item.first_row, item, a.layout);
  const auto values = head_of<const T>(a.values, item.first_row, item, a.layout);
  copy_transposed(keys, item.rows, head_size, s.keys_transposed);
  copy_transposed(values, item.rows, head_size, s.values);
  copy_scaled(keys, item.rows, head_size, Real{1}, s.keys, s.width);
  std::fill_n(s.dkeys, item.rows * s.width, Real{0});
  std::fill_n(s.dvalues, item.rows * s.width, Real{0});
  const auto gradient_of = [&](const Gradient& gradient, std::int64_t stride, std::int64_t first) {
    return head_of<T>(RowsOfHeads<void*>{gradient.data, stride}, first, item, a.layout);
  };
  for (std::int64_t first = 0; first < item.queries; first += kTile) {
    const std::int64_t rows = std::min(kTile, item.queries - first);
    load_query_tile<T>(a, item, first, rows, s);
    backward_tile<T>(a, item, first, s);
    if (a.dqueries.data)
      write_scaled(s.sums, s.width, rows, head_size, score_scale<Real>(a.layout),
                   gradient_of(a.dqueries, a.queries.stride, item.first_query + first),
                   a.dqueries.accumulate);
  }
  if (!a.dkeys.data) return;
  write_scaled(s.dkeys, s.width, item.rows, head_size, Real{1},
               gradient_of(a.dkeys, a.keys.stride, item.first_row), a.dkeys.accumulate);
  write_scaled(s.dvalues, s.width, item.rows, head_size, Real{1},
               gradient_of(a.dvalues, a.values.stride, item.first_row), a.dvalues.accumulate);
}

std::int64_t workspace_bytes(const AttentionLayout& layout, bool for_backward) {
  return visit_floating_cpu(layout.dtype, [&]<class T>() {
    using Real = Compute<T>;
    const Scratch<Real> slot(nullptr, layout.longest, layout.head_size, for_backward);
    return layout.workers * slot.size() * static_cast<std::int64_t>(sizeof(Real));
  });
}

}  // namespace

std::int64_t attention_forward_workspace(const AttentionLayout& layout, CpuStream&) {
  return workspace_bytes(layout, false);
}

std::int64_t attention_backward_workspace(const AttentionLayout& layout, CpuStream&) {
  return workspace_bytes(layout, true);
}

void run(const AttentionForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.layout.dtype, [&]<class T>() {
    for_each_item<Compute<T>>(
        args.layout, args.workspace, false,
        [&](const Item& item, auto& scratch) { forward_item<T>(args, item, scratch); });
  });
}

void run(const AttentionBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.layout.dtype, [&]<class T>() {
    for_each_item<Compute<T>>(
        args.layout, args.workspace, true,
        [&](const Item& item, auto& scratch) { backward_item<T>(args, item, scratch); });
  });
}

}  // namespace lodestone::kernels
