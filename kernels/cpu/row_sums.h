#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/core/threads.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

// parts[0 .. width) = sum over rows of what row(state, r, sums) adds to sums[width]; state = make()
// for each thread. Rows are summed by blocks and then the blocks, so nothing depends on the number
// of threads, and memory is read in order. parts: [row_blocks(rows), width].
template <class C, class Make, class Row>
void sum_over_rows(std::int64_t rows, std::int64_t width, C* parts, const Make& make,
                   const Row& row) {
  const std::int64_t blocks = row_blocks(rows);
  parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    const auto state = make();
    for (std::int64_t block = begin; block < end; ++block) {
      C* const sums = parts + block * width;
      std::fill_n(sums, width, C{0});
      for (std::int64_t r = rows * block / blocks; r < rows * (block + 1) / blocks; ++r)
        row(state, r, sums);
    }
  });
  for (std::int64_t block = 1; block < blocks; ++block) {
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) parts[c] += parts[block * width + c];
  }
}

}  // namespace lodestone::kernels
