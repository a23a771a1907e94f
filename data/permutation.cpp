#include "data/permutation.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lodestone {
namespace {

using Keyed = std::pair<std::uint64_t, std::int64_t>;  // word, index

constexpr std::int64_t kBucketSize = 256;  // about; sorted within the first-level cache

std::uint64_t word_of(RandomKey key, std::int64_t index) {
  const PhiloxBlock words = key.at(static_cast<std::uint64_t>(index), 0);
  return (std::uint64_t{words[1]} << 32) | words[0];
}

}  // namespace

// Random words fall evenly into buckets by their first bits: two passes and small sorts.
std::vector<std::int64_t> permutation_of(std::int64_t count, RandomKey key) {
  const int bits = static_cast<int>(
      std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(count / kBucketSize, 1))));
  const auto bucket_of = [&](std::uint64_t word) {
    return static_cast<std::size_t>(word >> (64 - bits));
  };
  std::vector<std::int64_t> ends((std::size_t{1} << bits) + 1);  // of the bucket before
  for (std::int64_t i = 0; i < count; ++i) ++ends[bucket_of(word_of(key, i)) + 1];
  for (std::size_t bucket = 1; bucket < ends.size(); ++bucket) ends[bucket] += ends[bucket - 1];
  std::vector<Keyed> keyed(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t word = word_of(key, i);
    keyed[static_cast<std::size_t>(ends[bucket_of(word)]++)] = {word, i};
  }
  std::vector<std::int64_t> order;
  order.reserve(keyed.size());
  std::int64_t begin = 0;
  for (std::size_t bucket = 0; bucket + 1 < ends.size(); ++bucket) {
    const std::int64_t end = ends[bucket];
    std::sort(keyed.begin() + begin, keyed.begin() + end);
    for (; begin < end; ++begin) order.push_back(keyed[static_cast<std::size_t>(begin)].second);
  }
  return order;
}

}  // namespace lodestone
