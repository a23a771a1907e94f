#include "data/radix_sort.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace lodestone {
namespace {

constexpr int kMostDigitBits = 10;
constexpr int kMostDigits = 7;  // of 64 bits
constexpr std::size_t kWorthCounting = 256;

// How many keys have each value of each digit: they fit the first-level cache.
using Counts = std::array<std::array<std::uint32_t, 1 << kMostDigitBits>, kMostDigits>;

}  // namespace

void radix_sort(std::vector<std::uint64_t>& keys, std::vector<std::uint64_t>& scratch, int bits) {
  if (keys.size() < kWorthCounting) return std::sort(keys.begin(), keys.end());
  const int digits = (bits + kMostDigitBits - 1) / kMostDigitBits;
  const int width = (bits + digits - 1) / digits;
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  Counts counts;
  for (int digit = 0; digit < digits; ++digit)
    std::fill_n(counts[static_cast<std::size_t>(digit)].begin(), mask + 1, 0);
  for (const std::uint64_t key : keys)
    for (int digit = 0; digit < digits; ++digit)
      ++counts[static_cast<std::size_t>(digit)][(key >> (digit * width)) & mask];
  scratch.resize(keys.size());
  for (int digit = 0; digit < digits; ++digit) {
    auto& places = counts[static_cast<std::size_t>(digit)];
    const int shift = digit * width;
    if (places[(keys[0] >> shift) & mask] == keys.size()) continue;  // all have the same digit
    std::uint32_t place = 0;
    for (std::uint64_t value = 0; value <= mask; ++value)
      place += std::exchange(places[value], place);
    for (const std::uint64_t key : keys) scratch[places[(key >> shift) & mask]++] = key;
    keys.swap(scratch);
  }
}

}  // namespace lodestone
