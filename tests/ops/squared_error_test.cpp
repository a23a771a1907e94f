#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

// A sum of thousands of squares is rounded to 1e-12; over a step of 1e-5 that alone is 1e-7.
constexpr double kLongSumTolerance = 1e-6;

OpCase error_case(const std::string& name, const Shape& shape) {
  const Tensor targets = random_f64({shape.numel()}, 2).cast(DType::kF32);
  return {.name = name,
          .f =
              [targets](const std::vector<Var>& in) {
                return squared_error(in[0], targets.cast(accumulation_type(in[0].value().dtype())));
              },
          .inputs = {random_f64(shape, 1)},
          .gradient_tolerance = shape.numel() > 1000 ? kLongSumTolerance : 1e-7};
}

TEST(SquaredError, PassesTheTable) {
  check_ops({error_case("one", {1}), error_case("odd", {7}), error_case("a column", {5, 1}),
             error_case("2049", {2049, 1})});
}

TEST(SquaredError, SumsSquares) {
  const Var loss = squared_error(Var(Tensor::from(std::vector<float>{1, 5})),
                                 Tensor::from(std::vector<float>{3, 2}));
  EXPECT_EQ(loss.value().host<float>()[0], 13);
}

TEST(SquaredError, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const auto call = [](const Shape& shape, const Tensor& targets) {
    return [=] { squared_error(Var(random_f64(shape, 1)), targets); };
  };
  expect_throws(kind, call({3}, random_f64({2}, 1)), "targets must be f64 [3], got f64 [2]");
  expect_throws(kind, call({3}, random_f64({3}, 1).cast(DType::kF32)), "got f32 [3]");
  expect_throws(kind, call({3, 2}, random_f64({6}, 1)), "[rows] or [rows, 1]");
  expect_throws(kind, call({3}, Tensor()), "targets is missing");
}

}  // namespace
}  // namespace lodestone
