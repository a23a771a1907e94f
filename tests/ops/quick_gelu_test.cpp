#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

OpCase quick_gelu_case(const Shape& shape) {
  return {.name = shape.text(),
          .f = [](const std::vector<Var>& v) { return quick_gelu(v[0]); },
          .inputs = {random_f64(shape, 1)},
          .f32_tolerance = 1e-6,
          .bf16_tolerance = 5e-3};
}

TEST(QuickGelu, Cases) {
  check_ops({quick_gelu_case({1}), quick_gelu_case({3, 5}), quick_gelu_case({2049}),
             quick_gelu_case({17, 2049}), quick_gelu_case({2, 3, 4})});
}

TEST(QuickGelu, Values) {
  const std::vector<double> x{-3.0, -0.5, 0.0, 0.25, 2.0};
  const Tensor y = quick_gelu(Var(Tensor::from(x))).value();
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(y.host<double>()[i], x[i] / (1 + std::exp(-1.702 * x[i])), 1e-15);
}

TEST(QuickGelu, LargeArgumentsStayFinite) {
  const Tensor x = Tensor::from(std::vector<float>{-1e4f, 1e4f});
  Tensor dx = Tensor::zeros({2}, DType::kF32, Device::cpu());
  const Var y = quick_gelu(Var::parameter(x, dx));
  EXPECT_EQ(y.value().host<float>()[0], 0.0f);
  EXPECT_EQ(y.value().host<float>()[1], 1e4f);
  backward(y, Tensor::from(std::vector<float>{1.0f, 1.0f}));
  EXPECT_EQ(dx.host<float>()[0], 0.0f);
  EXPECT_EQ(dx.host<float>()[1], 1.0f);
}

TEST(QuickGelu, RefusesWhatIsNotReal) {
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] { quick_gelu(Var(Tensor::from(std::vector<std::int32_t>{1}))); }, "got i32");
  expect_throws(
      ErrorKind::kInvalidArgument, [] { quick_gelu(Var()); }, "got nothing");
}

}  // namespace
}  // namespace lodestone
