#include "data/permutation.h"

#include <algorithm>
#include <utility>

namespace lodestone {

std::vector<std::int64_t> permutation_of(std::int64_t count, RandomKey key) {
  std::vector<std::pair<std::uint64_t, std::int64_t>> keyed;
  keyed.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const PhiloxBlock words = key.at(static_cast<std::uint64_t>(i), 0);
    keyed.emplace_back((std::uint64_t{words[1]} << 32) | words[0], i);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::int64_t> order;
  order.reserve(keyed.size());
  for (const auto& [word, index] : keyed) order.push_back(index);
  return order;
}

}  // namespace lodestone
