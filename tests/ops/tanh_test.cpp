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

OpCase tanh_case(const Shape& shape) {
  return {.name = shape.text(),
          .f = [](const std::vector<Var>& v) { return tanh(v[0]); },
          .inputs = {random_f64(shape, 1)},
          .f32_tolerance = 1e-6,
          .bf16_tolerance = 5e-3};
}

TEST(Tanh, Cases) {
  check_ops({tanh_case({1}), tanh_case({3, 5}), tanh_case({2049}), tanh_case({17, 2049}),
             tanh_case({2, 3, 4})});
}

TEST(Tanh, Values) {
  const std::vector<double> x{-3.0, -0.5, 0.0, 0.25, 2.0};
  const Tensor y = tanh(Var(Tensor::from(x))).value();
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(y.host<double>()[i], std::tanh(x[i]), 1e-15);
}

TEST(Tanh, LargeArgumentsSaturate) {
  const Tensor x = Tensor::from(std::vector<float>{-1e4f, 1e4f});
  Tensor dx = Tensor::zeros({2}, DType::kF32, Device::cpu());
  const Var y = tanh(Var::parameter(x, dx));
  EXPECT_EQ(y.value().host<float>()[0], -1.0f);
  EXPECT_EQ(y.value().host<float>()[1], 1.0f);
  backward(y, Tensor::from(std::vector<float>{1.0f, 1.0f}));
  EXPECT_EQ(dx.host<float>()[0], 0.0f);
  EXPECT_EQ(dx.host<float>()[1], 0.0f);
}

TEST(Tanh, RefusesWhatIsNotReal) {
  expect_throws(
      ErrorKind::kInvalidArgument, [] { tanh(Var(Tensor::from(std::vector<std::int32_t>{1}))); },
      "got i32");
  expect_throws(
      ErrorKind::kInvalidArgument, [] { tanh(Var()); }, "got nothing");
}

}  // namespace
}  // namespace lodestone
