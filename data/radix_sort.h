#pragma once
#include <cstdint>
#include <vector>

namespace lodestone {

// Sorts keys below 2^bits, ascending; `scratch` is any vector, kept for its memory.
void radix_sort(std::vector<std::uint64_t>& keys, std::vector<std::uint64_t>& scratch, int bits);

}  // namespace lodestone
