#pragma once
#include <cstdint>

namespace lodestone::kernels {

// The cell that packed row `row` belongs to. `added`: rows that every cell has beyond what its
// offsets say, before them. At least one cell; log2(cells) reads, the same for all lanes of a warp
// that has one row.
__device__ inline std::int64_t cell_of_row(const std::int64_t* offsets, std::int64_t cells,
                                           std::int64_t row, int added = 0) {
  std::int64_t begin = 0, end = cells;  // the cell is in [begin, end)
  while (end - begin > 1) {
    const std::int64_t middle = (begin + end) / 2;
    (offsets[middle] + added * middle <= row ? begin : end) = middle;
  }
  return begin;
}

}  // namespace lodestone::kernels
