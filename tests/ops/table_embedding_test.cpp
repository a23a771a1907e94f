#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

TokenGroups groups_of(const std::vector<std::int32_t>& row_of_token, std::int64_t table_rows) {
  std::vector<std::int32_t> order(row_of_token.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return row_of_token[static_cast<std::size_t>(a)] < row_of_token[static_cast<std::size_t>(b)];
  });
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(table_rows) + 1);
  for (const std::int32_t row : row_of_token) ++offsets[static_cast<std::size_t>(row) + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return {Tensor::from(row_of_token), Tensor::from(order), Tensor::from(offsets)};
}

std::vector<std::int32_t> scattered(std::int64_t tokens, std::int64_t table_rows) {
  std::vector<std::int32_t> rows;
  for (std::int64_t n = 0; n < tokens; ++n)
    rows.push_back(static_cast<std::int32_t>(n * n % table_rows));
  return rows;
}

OpCase embedding_case(const std::string& name, std::int64_t tokens, std::int64_t table_rows,
                      std::int64_t columns, bool with_values = true) {
  const TokenGroups groups = groups_of(scattered(tokens, table_rows), table_rows);
  const Tensor values = random_f64({tokens}, 3).cast(DType::kF32);
  OpCase c{.name = name,
           .f =
               [=](const std::vector<Var>& in) {
                 const DType wide = accumulation_type(in[0].value().dtype());
                 return table_embedding(in[0], with_values ? in[1] : Var(),
                                        with_values ? values.cast(wide) : Tensor(), groups);
               },
           .inputs = {random_f64({table_rows, columns}, 1)}};
  if (with_values) c.inputs.push_back(random_f64({columns}, 2));
  return c;
}

TEST(TableEmbedding, PassesTheTable) {
  check_ops({embedding_case("one", 1, 1, 1), embedding_case("odd", 7, 5, 3),
             embedding_case("without values", 7, 5, 3, false),
             embedding_case("no tokens", 0, 2, 3, false),
             embedding_case("2049 tokens", 2049, 65, 17),
             embedding_case("2049 columns", 5, 3, 2049)});
}

TEST(TableEmbedding, AddsTheValueTimesItsWeight) {
  const Var table(Tensor::from(std::vector<float>{1, 2, 10, 20}).view({2, 2}));
  const Var weight(Tensor::from(std::vector<float>{100, 1000}));
  const Tensor y = table_embedding(table, weight, Tensor::from(std::vector<float>{3, 0, -1}),
                                   groups_of({1, 0, 1}, 2))
                       .value();
  EXPECT_EQ(std::vector<float>(y.host<float>().begin(), y.host<float>().end()),
            (std::vector<float>{310, 3020, 1, 2, -90, -980}));
}

TEST(TableEmbedding, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const Var table(random_f64({2, 3}, 1)), weight(random_f64({3}, 2));
  const Tensor values = random_f64({4}, 3);
  const TokenGroups good = groups_of({0, 1, 1, 0}, 2);
  const auto call = [&](const Var& w, const Tensor& v, const TokenGroups& g) {
    return [=] { table_embedding(table, w, v, g); };
  };
  expect_throws(kind, call(Var(random_f64({2}, 1)), values, good), "value_weight must be f64 [3]");
  expect_throws(kind, call(weight, random_f64({3}, 1), good), "values must be f64 [4]");
  expect_throws(kind, call(weight, values.cast(DType::kF32), good), "got f32 [4]");
  expect_throws(kind, call(weight, Tensor(), good), "values is missing");
  TokenGroups bad = good;
  bad.row_of_token = Tensor::from(std::vector<std::int32_t>{0, 2, 1, 0});
  expect_throws(kind, call(weight, values, bad), "row_of_token must lie in 0 .. 1, one is 2");
  bad = good;
  bad.token_order = Tensor::from(std::vector<std::int32_t>{0, 3, 2, 2});
  expect_throws(kind, call(weight, values, bad), "group 1 must list its row's tokens, ascending");
  bad.token_order = Tensor::from(std::vector<std::int32_t>{0, 1, 2, 3});
  expect_throws(kind, call(weight, values, bad), "group 0 must list its row's tokens");
  bad = good;
  bad.group_offsets = Tensor::from(std::vector<std::int64_t>{0, 2});
  expect_throws(kind, call(weight, values, bad), "group_offsets must be i64 [3]");
  expect_throws(kind, call(weight, values, {}), "row_of_token is missing");
}

}  // namespace
}  // namespace lodestone
