#include "data/radix_sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lodestone {
namespace {

TEST(RadixSort, EqualsAComparisonSort) {
  std::mt19937_64 random(5);
  std::vector<std::uint64_t> scratch;
  for (const int bits : {1, 10, 11, 31, 48, 64}) {
    for (const std::size_t size : {0u, 1u, 255u, 256u, 3000u}) {
      std::vector<std::uint64_t> keys(size);
      for (std::uint64_t& key : keys) key = random() >> (64 - bits);
      std::vector<std::uint64_t> expected = keys;
      std::sort(expected.begin(), expected.end());
      radix_sort(keys, scratch, bits);
      EXPECT_EQ(keys, expected) << bits << " bits, " << size << " keys";
    }
  }
}

TEST(RadixSort, DigitsThatAreAllEqualAreLeftOut) {
  std::vector<std::uint64_t> keys, scratch;
  for (std::uint64_t i = 0; i < 1000; ++i) keys.push_back((std::uint64_t{7} << 40) | (999 - i));
  radix_sort(keys, scratch, 43);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_EQ(keys.front(), std::uint64_t{7} << 40);
}

}  // namespace
}  // namespace lodestone
