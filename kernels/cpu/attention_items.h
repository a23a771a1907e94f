#pragma once
// What both passes of the CPU attention share: the list of items (one head of one cell each), a
// worker's buffers, copies in and out of them, and dropout.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "engine/core/threads.h"
#include "kernels/attention.h"
#include "kernels/cpu/random_words.h"
#include "kernels/cpu/tile_product.h"

namespace lodestone::kernels {

inline constexpr std::int64_t kTile = 96;  // queries or keys
static_assert(kTile % kTileRows == 0 && kTile % kTileColumns<float> == 0 && kTile % 4 == 0);
inline constexpr std::int64_t kWordsAtOnce = std::int64_t{4} * kRandomLanes;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// One head of one cell.
struct Item {
  std::int64_t first_query, queries;  // rows of queries
  std::int64_t first_row, rows;       // rows of keys and values
  std::int64_t head;
};

inline Item item_at(const AttentionLayout& layout, std::int64_t index) {
  const std::int64_t cell = layout.cells_by_length[index / layout.heads];
  const std::int64_t first_query = layout.query_offsets[cell], first = layout.offsets[cell];
  return {first_query, layout.query_offsets[cell + 1] - first_query, first,
          layout.offsets[cell + 1] - first, index % layout.heads};
}

// A worker's buffers. `width` is a head's size rounded up to whole register blocks; what pads a row
// is zero.
template <class Real>
class Scratch {
 public:
  Scratch(Real* base, std::int64_t longest, std::int64_t head_size, bool for_backward)
      : width(round_up(head_size, kTileColumns<Real>)), base_(base) {
    const std::int64_t transposed = round_up(longest, kTile) * head_size;
    keys_transposed = take(transposed);
    queries = take(kTile * width);
    scores = take(kTile * kTile);
    sums = take(kTile * width);
    row_maximum = take(kTile);
    row_sum = take(kTile);
    values = take(for_backward ? transposed : longest * width);
    if (!for_backward) return;
    keys = take(longest * width);
    dkeys = take(longest * width);
    dvalues = take(longest * width);
    dy = take(kTile * width);
    dscores = take(kTile * kTile);
  }

  std::int64_t width;
  Real* keys_transposed;  // per tile of keys: [head_size, kTile]
  Real* queries;          // [kTile, width], divided by sqrt(head_size)
  Real* scores;           // [kTile, kTile]; then probabilities
  Real* sums;             // [kTile, width]: the result, or the gradient of the queries
  Real* row_maximum;      // [kTile], unused in the backward
  Real* row_sum;          // [kTile]; in the backward: sum over columns of dy * y
  Real* values;           // [longest, width]; in the backward transposed like the keys
  // Of the backward alone:
  Real* keys = nullptr;     // [longest, width]
  Real* dkeys = nullptr;    // [longest, width]
  Real* dvalues = nullptr;  // [longest, width]
  Real* dy = nullptr;       // [kTile, width]
  Real* dscores = nullptr;  // [kTile, kTile]

  std::int64_t size() const { return round_up(size_, 16); }

 private:
  Real* take(std::int64_t count) {
    Real* const begin = base_ ? base_ + size_ : nullptr;
    size_ += count;
    return begin;
  }
  Real* base_;
  std::int64_t size_ = 0;
};

// What queries are multiplied by before their products with keys.
template <class Real>
Real score_scale(const AttentionLayout& layout) {
  return 1 / std::sqrt(static_cast<Real>(layout.head_size));
}

// Rows of one head within a tensor of rows of many heads.
template <class T>
struct HeadRows {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t r) const { return data + r * stride; }
  HeadRows from(std::int64_t first) const { return {row(first), stride}; }
};

// An item's rows, from row `first` of a tensor of rows of many heads.
template <class T, class Pointer>
HeadRows<T> head_of(RowsOfHeads<Pointer> tensor, std::int64_t first, const Item& item,
                    const AttentionLayout& layout) {
  return {static_cast<T*>(tensor.data) + first * tensor.stride + item.head * layout.head_size,
          tensor.stride};
}

// The same of a tensor [M, heads, head_size] with a row per query.
template <class T, class Pointer>
HeadRows<T> query_rows_of(Pointer tensor, const Item& item, const AttentionLayout& layout) {
  return head_of<T>(RowsOfHeads<Pointer>{tensor, layout.heads * layout.head_size}, item.first_query,
                    item, layout);
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

// to = scale * from, or to += scale * from; `width` is the stride of `from`.
template <class T, class Real>
void write_scaled(const Real* from, std::int64_t width, std::int64_t rows, std::int64_t head_size,
                  Real scale, HeadRows<T> to, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, from += width) {
    T* row = to.row(r);
    for (std::int64_t d = 0; d < head_size; ++d)
      row[d] = static_cast<T>(accumulate ? static_cast<Real>(row[d]) + scale * from[d]
                                         : scale * from[d]);
  }
}

// What dropout multiplies probabilities of keys first_key .. first_key + count with: 0 or its
// scale. first_key is a multiple of 4.
template <class Real>
void dropout_factors(const AttentionDropout& dropout, std::int64_t row, std::int64_t head,
                     std::int64_t first_key, std::int64_t count, Real* factors) {
  const auto scale = static_cast<Real>(dropout.scale);
  for (std::int64_t begin = 0; begin < count; begin += kWordsAtOnce) {
    const RandomWords words = random_words(
        dropout.key, static_cast<std::uint64_t>(dropout.row_keys[row]),
        static_cast<std::uint32_t>((first_key + begin) / 4), static_cast<std::uint32_t>(head));
    const std::int64_t here = std::min(kWordsAtOnce, count - begin);
    for (std::int64_t k = 0; k < here; ++k)
      factors[begin + k] = words[static_cast<std::size_t>(k)] < dropout.threshold ? Real{0} : scale;
  }
}

// How many workers the call is worth.
inline std::int64_t workers_for(const AttentionLayout& layout) {
  constexpr double kOperationsWorthAWorker = 1 << 20;
  double operations = 0;
  for (std::int64_t cell = 0; cell < layout.cells; ++cell) {
    const auto keys = static_cast<double>(layout.offsets[cell + 1] - layout.offsets[cell]);
    const auto queries =
        static_cast<double>(layout.query_offsets[cell + 1] - layout.query_offsets[cell]);
    operations += 4 * queries * keys * static_cast<double>(layout.heads * layout.head_size);
  }
  const double worth = std::min<double>(layout.workers, 1 + operations / kOperationsWorthAWorker);
  return std::min(static_cast<std::int64_t>(worth), layout.cells * layout.heads);
}

// Calls work(item, scratch) for every head of every cell. Which worker takes which item is left to
// chance; what an item's result is, is not.
template <class Real, class Work>
void for_each_item(const AttentionLayout& layout, void* workspace, bool for_backward,
                   const Work& work) {
  const std::int64_t items = layout.cells * layout.heads;
  std::atomic<std::int64_t> next{0};
  const auto take_items = [&](std::int64_t worker) {
    const auto scratch_at = [&](Real* base) {
      return Scratch<Real>(base, layout.longest, layout.head_size, for_backward);
    };
    Scratch<Real> scratch =
        scratch_at(static_cast<Real*>(workspace) + worker * scratch_at(nullptr).size());
    for (std::int64_t i = next++; i < items; i = next++) work(item_at(layout, i), scratch);
  };
  parallel_for(workers_for(layout), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t worker = begin; worker < end; ++worker) take_items(worker);
  });
}

}  // namespace lodestone::kernels
