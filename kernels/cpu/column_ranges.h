#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/core/threads.h"

namespace lodestone::kernels {

// Sums over rows stay deterministic when a thread owns columns and walks all rows in order. Calls
// body(first_column, end_column) for ranges whose bounds are multiples of a cache line of floats,
// so that no two threads write to one line; `rows` is what a column costs.
template <class Body>
void parallel_column_ranges(std::int64_t columns, std::int64_t rows, const Body& body) {
  constexpr std::int64_t kLine = 16;
  constexpr std::int64_t kElementsWorthAThread = 1 << 15;
  const std::int64_t lines = (columns + kLine - 1) / kLine;
  const std::int64_t cost = std::max<std::int64_t>(1, rows * kLine);
  parallel_for(lines, std::max<std::int64_t>(1, kElementsWorthAThread / cost),
               [&](std::int64_t begin, std::int64_t end) {
                 body(begin * kLine, std::min(end * kLine, columns));
               });
}

// The least number of rows worth a thread, for work that is one pass over `columns` elements a row.
inline std::int64_t rows_per_thread(std::int64_t columns) {
  constexpr std::int64_t kElementsWorthAThread = 1 << 15;
  return std::max<std::int64_t>(1, kElementsWorthAThread / std::max<std::int64_t>(1, columns));
}

}  // namespace lodestone::kernels
