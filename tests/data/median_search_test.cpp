#include "data/median_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace lodestone {
namespace {

using Genes = std::vector<std::vector<double>>;

double sorted_median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

// The search over three parts; `passes` counts.
MedianSearch search_in(const Genes& genes, std::int64_t most_kept, int& passes) {
  MedianSearch search(genes.size(), most_kept);
  for (passes = 0; !search.is_done(); ++passes) {
    std::vector<MedianSearch::Part> parts(3, MedianSearch::Part(search));
    for (std::size_t gene = 0; gene < genes.size(); ++gene)
      for (std::size_t i = 0; i < genes[gene].size(); ++i) parts[i % 3].add(gene, genes[gene][i]);
    search.finish_pass(parts);
  }
  return search;
}

TEST(MedianSearch, EqualsASortedList) {
  std::mt19937_64 random(11);
  std::lognormal_distribution<double> spread(0, 3);
  Genes genes;
  for (const std::size_t size : {1u, 2u, 3u, 4u, 1000u, 1001u, 20000u}) {
    genes.emplace_back(size);
    for (double& value : genes.back()) value = spread(random);
    genes.emplace_back(genes.back());
    for (double& value : genes.back()) value = std::ceil(value);  // many are equal
  }
  for (const std::int64_t most_kept : {0, 100, 1 << 20}) {
    int passes = 0;
    const MedianSearch search = search_in(genes, most_kept, passes);
    for (std::size_t gene = 0; gene < genes.size(); ++gene)
      EXPECT_EQ(search.median(gene), sorted_median(genes[gene])) << gene << ", " << most_kept;
    EXPECT_LE(passes, 8);
    if (most_kept == 0) {
      EXPECT_EQ(passes, 8) << "of 8 bits each";
    }
    if (most_kept > 100'000) {
      EXPECT_EQ(passes, 2) << "the second keeps all that agree";
    }
  }
}

TEST(MedianSearch, MiddleValuesFarApartAndGenesWithoutValues) {
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  constexpr double kGreatest = std::numeric_limits<double>::max() / 4;
  const Genes genes = {{}, {kLeast, kGreatest}, {kGreatest, kGreatest, kLeast, kLeast}, {5}, {}};
  for (const std::int64_t most_kept : {0, 1000}) {
    int passes = 0;
    const MedianSearch search = search_in(genes, most_kept, passes);
    EXPECT_FALSE(search.median(0));
    EXPECT_EQ(search.median(1), (kLeast + kGreatest) / 2);
    EXPECT_EQ(search.median(2), (kLeast + kGreatest) / 2);
    EXPECT_EQ(search.median(3), 5);
    EXPECT_FALSE(search.median(4));
  }
}

}  // namespace
}  // namespace lodestone
