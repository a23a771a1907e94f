#include "kernels/cpu/attention_items.h"

#include <cmath>

#include "kernels/cpu/random_words.h"

namespace lodestone::kernels {

namespace {

Item item_at(const AttentionLayout& layout, std::int64_t index) {
  const std::int64_t cell = layout.cells_by_length[index / layout.heads];
  const std::int64_t first_query = layout.query_offsets[cell], first = layout.offsets[cell];
  return {first_query, layout.query_offsets[cell + 1] - first_query, first,
          layout.offsets[cell + 1] - first, index % layout.heads};
}

// The work of one head of a cell, in scores.
double scores_of(const AttentionLayout& layout, std::int64_t position) {
  const Item item = item_at(layout, position * layout.heads);
  return static_cast<double>(item.queries) * static_cast<double>(item.rows);
}

// Part `index` of `parts` of n rows, in whole tiles.
Range cut(std::int64_t n, std::int64_t tile, std::int64_t index, std::int64_t parts) {
  const std::int64_t tiles = (n + tile - 1) / tile;
  return {std::min(n, tiles * index / parts * tile),
          std::min(n, tiles * (index + 1) / parts * tile)};
}

}  // namespace

PartList::PartList(const AttentionLayout& layout, std::int64_t tile, bool backward)
    : layout_(layout), tile_(tile), backward_(backward) {
  constexpr double kOperationsWorthAWorker = 1 << 20;
  // Of a part, as shares of what each worker gets: from which size on an item is cut, and how much
  // work the parts of the whole come to.
  const double least = backward ? 1.4 : 0.5, total_work = backward ? 1.4 : 1.0;
  double total = 0;
  for (std::int64_t i = 0; i < layout.cells; ++i)
    total += scores_of(layout, i) * static_cast<double>(layout.heads);
  const double operations = 4 * total * static_cast<double>(layout.head_size);
  const double worth = 1 + operations / kOperationsWorthAWorker;
  workers_ = static_cast<std::int64_t>(std::min<double>(layout.workers, worth));
  if (workers_ == 1) return;
  const double share = total / static_cast<double>(workers_);
  while (cut_cells_ < layout.cells && scores_of(layout, cut_cells_) > least * share) ++cut_cells_;
  if (cut_cells_ == 0) return;
  const auto halves = [&](double work) {
    return static_cast<std::int64_t>(std::ceil(2 * work / share));
  };
  parts_per_item_ = halves(total_work * scores_of(layout, 0));
  if (backward) parts_per_item_ = round_up(parts_per_item_, 2);
}

Part PartList::whole(std::int64_t item_index) const {
  const Item item = item_at(layout_, item_index);
  return {item, {0, item.queries}, {0, item.rows}, true, true};
}

Part PartList::operator[](std::int64_t index) const {
  const std::int64_t cut_parts = cut_cells_ * parts_per_item_ * layout_.heads;
  if (index >= cut_parts) return whole(index - cut_parts + cut_cells_ * layout_.heads);
  Part part = whole(index / parts_per_item_);
  const std::int64_t which = index % parts_per_item_;
  if (!backward_) {
    part.queries = cut(part.item.queries, tile_, which, parts_per_item_);
    return part;
  }
  part.wants_queries = which % 2 == 0;
  part.wants_keys = !part.wants_queries;
  Range& range = part.wants_queries ? part.queries : part.keys;
  range = cut(range.end, tile_, which / 2, parts_per_item_ / 2);
  return part;
}

void dropped_keys(const AttentionDropout& dropout, const Item& item, Range queries, Range keys,
                  std::uint64_t* bits) {
  words_below({.counter = {.key0 = static_cast<std::uint32_t>(dropout.key.value),
                           .key1 = static_cast<std::uint32_t>(dropout.key.value >> 32),
                           .row_low = 0,
                           .row_high = 0,
                           .first_block = static_cast<std::uint32_t>(keys.begin / 4),
                           .plane = static_cast<std::uint32_t>(item.head)},
               .threshold = dropout.threshold,
               .rows = dropout.row_keys + item.first_query + queries.begin,
               .row_count = queries.end - queries.begin,
               .masks = (keys.end - keys.begin + 63) / 64,
               .mask_stride = kDroppedWords},
              bits);
}

}  // namespace lodestone::kernels
