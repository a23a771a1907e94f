#include <gtest/gtest.h>

#include <limits>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

Tensor indices(const std::vector<std::int32_t>& rows) {
  return Tensor::from(rows);
}

// Rows 0, 7, 14, ... of `table_rows`, wrapped around: some twice, some never.
Tensor strided_rows(std::int64_t count, std::int64_t table_rows) {
  std::vector<std::int32_t> rows;
  for (std::int64_t m = 0; m < count; ++m)
    rows.push_back(static_cast<std::int32_t>(m * 7 % table_rows));
  return Tensor::from(rows);
}

OpCase gather_case(const std::string& name, std::int64_t table_rows, std::int64_t columns,
                   const Tensor& rows) {
  return {.name = name,
          .f = [rows](const std::vector<Var>& in) { return gather_rows(in[0], rows); },
          .inputs = {random_f64({table_rows, columns}, 1)}};
}

OpCase lookup_case(const std::string& name, std::int64_t table_rows, std::int64_t columns,
                   const Tensor& rows) {
  return {.name = name,
          .f = [rows](const std::vector<Var>& in) { return embedding_lookup(in[0], rows); },
          .inputs = {random_f64({table_rows, columns}, 1)}};
}

TEST(GatherRows, PassesTheTable) {
  check_ops({gather_case("one", 1, 1, indices({0})), gather_case("none", 3, 2, indices({})),
             gather_case("repeated rows", 5, 3, indices({4, 0, 4, 4, 1})),
             gather_case("2049 of 300", 300, 33, strided_rows(2049, 300))});
}

TEST(EmbeddingLookup, PassesTheTable) {
  check_ops({lookup_case("one", 1, 1, indices({0})),
             lookup_case("repeated rows", 5, 3, indices({4, 0, 4, 4, 1})),
             lookup_case("2049 columns", 9, 2049, strided_rows(21, 9))});
}

TEST(GatherRows, CopiesTheChosenRows) {
  const Tensor x = random_f64({4, 3}, 2).cast(DType::kBf16);
  const Var y = gather_rows(Var(x), indices({2, 0, 2}));
  EXPECT_EQ(testing::relative_error(y.value().rows(0, 1), x.rows(2, 3)), 0);
  EXPECT_EQ(testing::relative_error(y.value().rows(1, 2), x.rows(0, 1)), 0);
  EXPECT_EQ(testing::relative_error(y.value().rows(2, 3), x.rows(2, 3)), 0);
}

TEST(EmbeddingLookup, ARowWithoutGradientKeepsWhatItHad) {
  Tensor gradient = Tensor::zeros({3, 2}, DType::kF32, Device::cpu());
  gradient.host<float>()[0] = 5;
  const Var table = Var::parameter(random_f64({3, 2}, 1).cast(DType::kBf16), gradient);
  const Var y = embedding_lookup(table, indices({0, 2, 2, 0}), 0);
  Tensor seed = Tensor::empty_like(y.value());
  for (BFloat16& one : seed.host<BFloat16>()) one = BFloat16(1.0f);
  backward(y, seed);
  EXPECT_EQ(std::vector<float>(gradient.host<float>().begin(), gradient.host<float>().end()),
            (std::vector<float>{5, 0, 0, 0, 2, 2}));
}

TEST(GatherRows, RefusesWhatDoesNotFit) {
  const Var x(random_f64({3, 2}, 1));
  const auto kind = ErrorKind::kInvalidArgument;
  expect_throws(
      kind,
      [&] {
        gather_rows(x, indices({0, 3}));
      },
      "rows must lie in 0 .. 2, one is 3");
  expect_throws(
      kind, [&] { embedding_lookup(x, indices({-1})); }, "one is -1");
  expect_throws(
      kind, [&] { gather_rows(x, Tensor::from(std::vector<std::int64_t>{0})); },
      "rows must be i32 [1], got i64 [1]");
  expect_throws(
      kind, [&] { gather_rows(x, Tensor()); }, "rows is missing");
  expect_throws(
      kind, [&] { gather_rows(Var(random_f64({6}, 1)), indices({0})); }, "x must be a matrix");
}

}  // namespace
}  // namespace lodestone
