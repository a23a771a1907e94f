#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

// Losses are wide, so a term in bf16 does not occur: the squared errors make the terms.
OpCase sum_case(const std::string& name, const std::vector<double>& weights) {
  OpCase c{.name = name,
           .f =
               [weights](const std::vector<Var>& in) {
                 std::vector<Var> terms;
                 for (const Var& x : in)
                   terms.push_back(squared_error(
                       x, Tensor::zeros({2}, accumulation_type(x.value().dtype()), Device::cpu())));
                 return weighted_sum(terms, weights);
               },
           .inputs = {}};
  for (std::size_t k = 0; k < weights.size(); ++k) c.inputs.push_back(random_f64({2}, k + 1));
  return c;
}

TEST(WeightedSum, PassesTheTable) {
  testing::check_ops({sum_case("one term", {2.5}), sum_case("three terms", {1.0, 0.0, -0.125}),
                      sum_case("eight terms", {1, 2, 3, 4, 5, 6, 7, 8})});
}

TEST(WeightedSum, AddsWeightedTerms) {
  const Var terms[] = {Var(Tensor::from(std::vector<float>{2})),
                       Var(Tensor::from(std::vector<float>{3}))};
  const double weights[] = {10, -1};
  EXPECT_EQ(weighted_sum(terms, weights).value().host<float>()[0], 17);
}

TEST(WeightedSum, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const auto call = [](const std::vector<Var>& terms, const std::vector<double>& weights) {
    return [=] { weighted_sum(terms, weights); };
  };
  const Var one(random_f64({1}, 1)), two(random_f64({2}, 1));
  const Var narrow(random_f64({1}, 1).cast(DType::kF32)), bf16(one.value().cast(DType::kBf16));
  expect_throws(kind, call({}, {}), "takes 1 to 8 terms, got 0");
  expect_throws(kind, call({one}, {1, 2}), "1 terms need as many weights, got 2");
  expect_throws(kind, call({one, two}, {1, 1}), "a term must be f64 [1], got f64 [2]");
  expect_throws(kind, call({one, narrow}, {1, 1}), "got f32 [1]");
  expect_throws(kind, call({bf16}, {1}), "must be f32 or f64");
}

}  // namespace
}  // namespace lodestone
