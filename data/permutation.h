#pragma once
// Random orders that are pure functions of a key.
#include <cstdint>
#include <vector>

#include "engine/core/philox.h"

namespace lodestone {

// 0 .. count - 1 in the order of their 64-bit Philox words under `key` (equal words: the smaller
// index first).
std::vector<std::int64_t> permutation_of(std::int64_t count, RandomKey key);

}  // namespace lodestone
