#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/memory/allocator.h"
#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

// Every fifth row does not count.
Tensor labels_for(std::int64_t rows, std::int64_t columns) {
  std::vector<std::int32_t> labels;
  for (std::int64_t m = 0; m < rows; ++m)
    labels.push_back(m % 5 == 4 ? -100 : static_cast<std::int32_t>(m * 13 % columns));
  return Tensor::from(labels);
}

// A sum of thousands of terms is rounded to 1e-12; over a step of 1e-5 that alone is 1e-7.
constexpr double kLongSumTolerance = 1e-6;

OpCase entropy_case(const std::string& name, std::int64_t rows, std::int64_t columns) {
  const Tensor labels = labels_for(rows, columns);
  return {.name = name,
          .f = [labels](const std::vector<Var>& in) { return cross_entropy(in[0], labels); },
          .inputs = {random_f64({rows, columns}, 1)},
          .gradient_tolerance = rows > 1000 ? kLongSumTolerance : 1e-7};
}

Var loss_of(const std::vector<float>& logits, std::int32_t label) {
  const auto columns = static_cast<std::int64_t>(logits.size());
  return cross_entropy(Var(Tensor::from(logits).view({1, columns})),
                       Tensor::from(std::vector<std::int32_t>{label}));
}

TEST(CrossEntropy, PassesTheTable) {
  check_ops({entropy_case("one row of three", 1, 3), entropy_case("odd", 7, 5),
             entropy_case("2049 rows", 2049, 11), entropy_case("2049 columns", 6, 2049)});
}

TEST(CrossEntropy, IsTheLogarithmOfTheNumberOfEqualChoices) {
  EXPECT_NEAR(loss_of(std::vector<float>(1000, 0.5f), 3).value().host<float>()[0],
              std::log(1000.0f), 1e-6f);
  EXPECT_EQ(loss_of({4.0f}, 0).value().host<float>()[0], 0);
}

TEST(CrossEntropy, LargeLogitsDoNotOverflow) {
  EXPECT_FLOAT_EQ(loss_of({1e5f, 0, -1e5f}, 2).value().host<float>()[0], 2e5f);
  EXPECT_EQ(loss_of({1e5f, 0, -1e5f}, 0).value().host<float>()[0], 0);
}

TEST(CrossEntropy, IgnoredRowsGiveNoLossAndNoGradient) {
  Tensor gradient = Tensor::zeros({2, 3}, DType::kF32, Device::cpu());
  const Var logits = Var::parameter(random_f64({2, 3}, 1).cast(DType::kF32), gradient);
  const Var loss = cross_entropy(logits, Tensor::from(std::vector<std::int32_t>{-100, -100}));
  EXPECT_EQ(loss.value().host<float>()[0], 0);
  backward(loss, Tensor::from(std::vector<float>{1}));
  for (const float g : gradient.host<float>()) EXPECT_EQ(g, 0);
}

// The gradient of a weight through logits that only the loss has, and through logits that the
// caller keeps.
TEST(CrossEntropy, GradientTakesTheLogitsPlaceOnlyWhereNobodyElseHasThem) {
  const Tensor labels = labels_for(6, 40);
  const Var x(random_f64({6, 3}, 1));
  const auto gradient_through = [&](bool keep) {
    Tensor gradient = Tensor::zeros({40, 3}, DType::kF64, Device::cpu());
    Var logits = linear(x, Var::parameter(random_f64({40, 3}, 2), gradient), Var());
    const Tensor kept = keep ? logits.value() : Tensor();
    const Tensor before = logits.value().clone();
    const Var loss = cross_entropy(logits, labels);
    logits = Var();
    CountingAllocator counting(allocator(Device::cpu()));
    const AllocatorScope scope(Device::cpu(), counting);
    backward(loss, Tensor::from(std::vector<double>{1}));
    EXPECT_EQ(counting.stats().peak_bytes >= before.bytes(), keep);
    if (keep) {
      EXPECT_TRUE(std::ranges::equal(kept.host<double>(), before.host<double>()));
    }
    return gradient;
  };
  const Tensor in_place = gradient_through(false), apart = gradient_through(true);
  EXPECT_TRUE(std::ranges::equal(in_place.host<double>(), apart.host<double>()));
}

TEST(CrossEntropy, NoRowsCostNothing) {
  const Var loss = cross_entropy(Var(Tensor::zeros({0, 3}, DType::kBf16, Device::cpu())),
                                 Tensor::from(std::vector<std::int32_t>{}));
  EXPECT_EQ(loss.value().host<float>()[0], 0);
}

TEST(CrossEntropy, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const Var logits(random_f64({2, 3}, 1));
  const auto call = [&](const Var& x, const Tensor& labels) {
    return [=] { cross_entropy(x, labels); };
  };
  const auto labels = [](const std::vector<std::int32_t>& l) { return Tensor::from(l); };
  expect_throws(kind, call(logits, labels({0, 3})), "label 3 is not in 0 .. 2, nor -100");
  expect_throws(kind, call(logits, labels({-1, 0})), "label -1");
  expect_throws(kind, call(logits, labels({0})), "labels must be i32 [2], got i32 [1]");
  expect_throws(kind, call(logits, Tensor::from(std::vector<std::int64_t>{0, 1})), "got i64 [2]");
  expect_throws(kind, call(Var(random_f64({6}, 1)), labels({0})), "logits must be a matrix");
}

}  // namespace
}  // namespace lodestone
