#include "train/neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/core/error.h"
#include "engine/core/philox.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

std::vector<float> random_rows(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  const RandomKey key = RandomKey::derive(seed, 0, 0);
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * columns; ++i)
    values.push_back(
        static_cast<float>(uniform(key.at(static_cast<std::uint64_t>(i), 0)[0]) - 0.5));
  return values;
}

double distance(const float* a, const float* b, std::int64_t columns, Metric metric) {
  double square = 0, dot = 0, aa = 0, bb = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    const double x = a[i], y = b[i];
    square += (x - y) * (x - y);
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return metric == Metric::kEuclidean ? std::sqrt(square) : 1 - dot / std::sqrt(aa * bb);
}

class ByMetric : public testing::TestWithParam<Metric> {};

TEST_P(ByMetric, FindsWhatSortingAllDistancesFinds) {
  for (const std::int64_t columns : {1, 15, 16, 37}) {
    // In one dimension all cosines are 1 or -1: nothing but ties.
    if (columns == 1 && GetParam() == Metric::kCosine) continue;
    const auto reference = random_rows(600, columns, 1), queries = random_rows(41, columns, 2);
    const auto found =
        nearest_neighbours(reference, queries, columns, {.neighbours = 7, .metric = GetParam()});
    ASSERT_EQ(found.size(), 41u * 7);
    for (std::int64_t query = 0; query < 41; ++query) {
      std::vector<double> distances;
      for (std::int64_t r = 0; r < 600; ++r)
        distances.push_back(distance(queries.data() + query * columns,
                                     reference.data() + r * columns, columns, GetParam()));
      std::vector<double> sorted = distances;
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0; i < 7; ++i)
        EXPECT_NEAR(
            distances[static_cast<std::size_t>(found[static_cast<std::size_t>(query) * 7 + i])],
            sorted[i], 1e-5)
            << columns << " " << query << " " << i;
    }
  }
}

TEST_P(ByMetric, DoesNotDependOnThreads) {
  const auto rows = random_rows(500, 33, 3);
  const int before = thread_count();
  set_thread_count(1);
  const auto alone = nearest_neighbours(rows, rows, 33, {.metric = GetParam()});
  set_thread_count(3);
  EXPECT_EQ(nearest_neighbours(rows, rows, 33, {.metric = GetParam()}), alone);
  set_thread_count(before);
}

INSTANTIATE_TEST_SUITE_P(Metrics, ByMetric, testing::Values(Metric::kEuclidean, Metric::kCosine));

TEST(Neighbours, TiesGoToTheLowerIndex) {
  const std::vector<float> reference = {2, 0, 2, 0, 1}, query = {1};
  EXPECT_EQ(nearest_neighbours(reference, query, 1, {.neighbours = 5}),
            (std::vector<std::int32_t>{4, 0, 1, 2, 3}));
}

TEST(Neighbours, CosineIgnoresLength) {
  const std::vector<float> reference = {0, 1, 100, 10, 1, 0}, query = {5, 0.5};
  EXPECT_EQ(
      nearest_neighbours(reference, query, 2, {.neighbours = 1, .metric = Metric::kCosine})[0], 1);
  EXPECT_EQ(nearest_neighbours(reference, query, 2, {.neighbours = 1})[0], 2);
}

TEST(Neighbours, AQueryCanBeLeftOut) {
  const std::vector<float> rows = {0, 1, 3};
  EXPECT_EQ(nearest_neighbours(rows, rows, 1, {.neighbours = 1}),
            (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(nearest_neighbours(rows, rows, 1, {.neighbours = 1, .exclude_same_index = true}),
            (std::vector<std::int32_t>{1, 0, 1}));
}

ErrorKind kind_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(Neighbours, RefusesWhatCannotBeSearched) {
  const std::vector<float> rows = {0, 1, 2, 3};
  const std::vector<float> broken = {0, std::numeric_limits<float>::quiet_NaN()};
  const auto search = [&](std::span<const float> queries, std::int64_t columns,
                          NeighbourSearch options) {
    return kind_of([&] { nearest_neighbours(rows, queries, columns, options); });
  };
  EXPECT_EQ(search(rows, 3, {.neighbours = 1}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(search(rows, 1, {.neighbours = 5}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(search(rows, 1, {.neighbours = 4, .exclude_same_index = true}),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(search(rows, 1, {.neighbours = 0}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(search(broken, 1, {.neighbours = 1}), ErrorKind::kNumeric);
}

// Four queries with three neighbours each among references of classes a a b b c.
TEST(LabelTransfer, VotesAndScores) {
  const std::vector<std::int32_t> codes = {0, 0, 1, 1, 2};
  const std::vector<std::int32_t> neighbours = {0, 1, 2,   // a a b -> a
                                                4, 0, 2,   // c a b -> c, the nearest
                                                2, 3, 4,   // b b c -> b
                                                3, 0, 1};  // b a a -> a
  const std::vector<std::int32_t> truth = {0, 0, 1, 1};
  const LabelTransfer result = transfer_labels(neighbours, 3, codes, truth, {"a", "b", "c"});
  EXPECT_EQ(result.predicted, (std::vector<std::int32_t>{0, 2, 1, 0}));
  EXPECT_DOUBLE_EQ(result.accuracy, 0.5);
  ASSERT_EQ(result.classes.size(), 2u);  // c occurs in no query
  EXPECT_EQ(result.classes[0].label, "a");
  EXPECT_EQ(result.classes[0].support, 2);
  EXPECT_DOUBLE_EQ(result.classes[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(result.classes[0].recall, 0.5);
  EXPECT_DOUBLE_EQ(result.classes[1].precision, 1);
  EXPECT_DOUBLE_EQ(result.classes[1].f1, 2.0 / 3);
  EXPECT_DOUBLE_EQ(result.macro_f1, (0.5 + 2.0 / 3) / 2);
}

TEST(LabelTransfer, RefusesMissingLabels) {
  const std::vector<std::int32_t> neighbours = {0}, present = {0}, missing = {-1};
  const std::vector<std::int32_t> outside = {3};
  EXPECT_THROW(transfer_labels(neighbours, 1, missing, present, {"a"}), Error);
  EXPECT_THROW(transfer_labels(neighbours, 1, present, missing, {"a"}), Error);
  EXPECT_THROW(transfer_labels(outside, 1, present, present, {"a"}), Error);
  EXPECT_THROW(transfer_labels(neighbours, 2, present, present, {"a"}), Error);
}

}  // namespace
}  // namespace lodestone
