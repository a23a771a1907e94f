#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_op;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

OpCase concat_case(const std::string& name, std::int64_t rows,
                   const std::vector<std::int64_t>& columns, const std::vector<float>& scales) {
  OpCase c{.name = name,
           .f = [scales](const std::vector<Var>& in) { return concat_columns(in, scales); },
           .inputs = {}};
  for (std::size_t k = 0; k < columns.size(); ++k)
    c.inputs.push_back(random_f64({rows, columns[k]}, k + 1));
  return c;
}

TEST(ConcatColumns, PassesTheTable) {
  check_op(concat_case("one number", 1, {1}, {2.0f}));
  check_op(concat_case("odd parts", 3, {1, 5, 2}, {1.0f, 0.5f, -3.0f}));
  check_op(concat_case("2049 rows", 2049, {3, 4}, {1.0f, 0.25f}));
  check_op(concat_case("2049 columns", 2, {2049, 7}, {1.0f, 0.0f}));
  check_op(concat_case("eight parts", 2, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ConcatColumns, SetsScaledPartsSideBySide) {
  const Var a(Tensor::from(std::vector<float>{1, 2}).view({2, 1}));
  const Var b(Tensor::from(std::vector<float>{3, 4, 5, 6}).view({2, 2}));
  const Var parts[] = {a, b};
  const float scales[] = {10, 1};
  const Tensor y = concat_columns(parts, scales).value();
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(std::vector<float>(y.host<float>().begin(), y.host<float>().end()),
            (std::vector<float>{10, 3, 4, 20, 5, 6}));
}

TEST(ConcatColumns, RefusesWhatDoesNotFit) {
  const auto call = [](const std::vector<Var>& parts, const std::vector<float>& scales) {
    return [=] { concat_columns(parts, scales); };
  };
  const auto kind = ErrorKind::kInvalidArgument;
  const Var a(random_f64({2, 3}, 1)), longer(random_f64({3, 3}, 2));
  const Var narrow(random_f64({2, 3}, 2).cast(DType::kF32)), flat(random_f64({2}, 1));
  expect_throws(kind, call({}, {}), "takes 1 to 8 parts, got 0");
  expect_throws(kind, call(std::vector<Var>(9, a), std::vector<float>(9, 1)), "got 9");
  expect_throws(kind, call({a}, {1, 2}), "1 parts need as many scales, got 2");
  expect_throws(kind, call({a, longer}, {1, 1}), "part 1 must have 2 rows of f64, got f64 [3, 3]");
  expect_throws(kind, call({a, narrow}, {1, 1}), "got f32 [2, 3]");
  expect_throws(kind, call({flat}, {1}), "must be a matrix");
}

}  // namespace
}  // namespace lodestone
