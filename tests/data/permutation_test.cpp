#include "data/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace lodestone {
namespace {

TEST(Permutation, IsTheOrderOfThePhiloxWords) {
  for (const std::int64_t count : {0, 1, 2, 255, 256, 1000, 70000}) {
    const RandomKey key = RandomKey::derive(3, static_cast<std::uint64_t>(count), 0);
    std::vector<std::pair<std::uint64_t, std::int64_t>> keyed;
    for (std::int64_t i = 0; i < count; ++i) {
      const PhiloxBlock words = key.at(static_cast<std::uint64_t>(i), 0);
      keyed.emplace_back((std::uint64_t{words[1]} << 32) | words[0], i);
    }
    std::sort(keyed.begin(), keyed.end());
    std::vector<std::int64_t> expected;
    for (const auto& [word, index] : keyed) expected.push_back(index);
    EXPECT_EQ(permutation_of(count, key), expected) << count;
  }
}

}  // namespace
}  // namespace lodestone
