#pragma once
#include <algorithm>
#include <cstdint>

namespace lodestone::kernels {

// Sums over rows are taken in this many blocks of consecutive rows, and then over the blocks. It
// depends on the rows alone, so the sums do not depend on the number of threads.
constexpr std::int64_t row_blocks(std::int64_t rows) {
  return std::clamp<std::int64_t>((rows + 31) / 32, 1, 256);
}

}  // namespace lodestone::kernels
