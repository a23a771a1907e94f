#pragma once
// What the CPU attentions share: the list of work (one head of one cell, or a part of it), a
// worker's memory, and dropout.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/core/threads.h"
#include "kernels/attention.h"

namespace lodestone::kernels {

constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// One head of one cell.
struct Item {
  std::int64_t first_query, queries;  // rows of queries
  std::int64_t first_row, rows;       // rows of keys and values
  std::int64_t head;
};

struct Range {
  std::int64_t begin, end;
};

// What one worker does at a time: some queries of an item against some of its keys. In the
// backward, what it leaves: the gradients of these queries, those of these keys and values, or all.
struct Part {
  Item item;
  Range queries, keys;
  bool wants_queries, wants_keys;
};

// The parts of a call, the longest cells first. An item is one part unless that would leave
// workers idle: then the forward cuts it by queries, at no cost but copies of the keys, and the
// backward makes parts that leave gradients of some keys or of some queries, at 7/5 of the work
// (scores and their gradients are computed twice). Cuts fall between tiles, so every sum is made of
// the same numbers in the same order whatever the cut: results do not depend on it.
class PartList {
 public:
  PartList(const AttentionLayout& layout, std::int64_t tile, bool backward);
  std::int64_t workers() const { return workers_; }
  std::int64_t size() const {
    return (cut_cells_ * parts_per_item_ + layout_.cells - cut_cells_) * layout_.heads;
  }
  Part operator[](std::int64_t index) const;

 private:
  Part whole(std::int64_t item_index) const;

  const AttentionLayout& layout_;
  std::int64_t tile_;
  bool backward_;
  std::int64_t workers_;
  std::int64_t cut_cells_ = 0;  // so many of the longest cells are cut
  std::int64_t parts_per_item_ = 1;
};

// Hands out pieces of a worker's memory; given null, only counts.
class Pieces {
 public:
  explicit Pieces(std::byte* base) : base_(base) {}
  template <class T>
  T* take(std::int64_t count) {
    constexpr std::int64_t kCacheLine = 64;
    std::byte* const begin = base_ ? base_ + used_ : nullptr;
    used_ += round_up(count * static_cast<std::int64_t>(sizeof(T)), kCacheLine);
    return reinterpret_cast<T*>(begin);
  }
  std::int64_t used() const { return used_; }

 private:
  std::byte* base_;
  std::int64_t used_ = 0;
};

// Rows of one head within a tensor of rows of many heads.
template <class T>
struct HeadRows {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t r) const { return data + r * stride; }
  HeadRows from(std::int64_t first) const { return {row(first), stride}; }
};

// Asks the memory for a row that is soon to be read: rows lie so far apart that the processor does
// not guess the next one. Any row number will do.
template <class T>
void expect_row(HeadRows<const T> rows, std::int64_t row, std::int64_t head_size) {
  constexpr std::int64_t kElementsOfALine = 64 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t d = 0; d < head_size; d += kElementsOfALine)
    __builtin_prefetch(rows.row(row) + d);
}
inline constexpr std::int64_t kRowsAhead = 16;

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

// What probabilities that are kept are multiplied by.
template <class Real>
Real kept_scale(const AttentionDropout& dropout) {
  return dropout.enabled ? static_cast<Real>(dropout.scale) : Real{1};
}

// The most keys of a tile are 128.
inline constexpr std::int64_t kDroppedWords = 2;
// Bit k % 64 of word k / 64 of a query's kDroppedWords is set iff the probability of key
// keys.begin + k is dropped; keys.begin is a multiple of 4. Queries count from the item's first.
void dropped_keys(const AttentionDropout& dropout, const Item& item, Range queries, Range keys,
                  std::uint64_t* bits);

// Calls work(part, memory) for every part; memory is a worker's own. Which worker takes which part
// is left to chance; what a part's result is, is not.
template <class Work>
void for_each_part(const PartList& parts, void* workspace, std::int64_t bytes_per_worker,
                   const Work& work) {
  std::atomic<std::int64_t> next{0};
  parallel_for(parts.workers(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t worker = begin; worker < end; ++worker)
      for (std::int64_t i = next++; i < parts.size(); i = next++)
        work(parts[i], Pieces(static_cast<std::byte*>(workspace) + worker * bytes_per_worker));
  });
}

}  // namespace lodestone::kernels
