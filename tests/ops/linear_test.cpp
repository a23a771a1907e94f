#include <gtest/gtest.h>

#include "engine/memory/allocator.h"
#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

OpCase linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, Activation activation) {
  return {.name = fmt::format("[{}, {}] to {}, activation {}", rows, in, out,
                              static_cast<int>(activation)),
          .f = [=](const std::vector<Var>& v) { return linear(v[0], v[1], v[2], activation); },
          .inputs = {random_f64({rows, in}, 1), random_f64({out, in}, 2), random_f64({out}, 3)},
          .f32_tolerance = 2e-6,
          .bf16_tolerance = 1e-2};
}

TEST(Linear, Cases) {
  check_ops({linear_case(1, 1, 1, Activation::kNone), linear_case(1, 1, 1, Activation::kGelu),
             linear_case(5, 7, 3, Activation::kNone), linear_case(5, 7, 3, Activation::kGelu),
             linear_case(65, 33, 129, Activation::kGelu),
             linear_case(2049, 5, 3, Activation::kGelu), linear_case(3, 2049, 5, Activation::kNone),
             linear_case(5, 3, 2049, Activation::kGelu),
             linear_case(1, 1, 1, Activation::kGeluTanh),
             linear_case(65, 33, 129, Activation::kGeluTanh)});
}

TEST(Linear, WithoutBias) {
  check_ops({{.name = "no bias",
              .f = [](const std::vector<Var>& v) { return linear(v[0], v[1], Var()); },
              .inputs = {random_f64({9, 4}, 1), random_f64({6, 4}, 2)},
              .f32_tolerance = 2e-6}});
}

TEST(Linear, NoRows) {
  Tensor dweight = Tensor::zeros({3, 4}, DType::kF32, Device::cpu());
  const Var x(Tensor::empty({0, 4}, DType::kF32, Device::cpu()));
  const Var weight = Var::parameter(random_f64({3, 4}, 1).cast(DType::kF32), dweight);
  const Var y = linear(x, weight, Var(), Activation::kGelu);
  EXPECT_EQ(y.shape(), (Shape{0, 3}));
  backward(y, Tensor::empty({0, 3}, DType::kF32, Device::cpu()));
  for (const float v : dweight.host<float>()) EXPECT_EQ(v, 0.0f);
}

TEST(Linear, GeluIsTheExactOne) {
  Tensor x = Tensor::from(std::vector<double>{-1.0, 0.0, 1.0, 3.0}).view({4, 1});
  Tensor one = Tensor::from(std::vector<double>{1.0}).view({1, 1});
  const Var y = linear(Var(x), Var(one), Var(), Activation::kGelu);
  // x * Phi(x) with Phi from tables of the normal distribution.
  const double expected[] = {-0.158655253931457, 0.0, 0.841344746068543, 2.995950305905110};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(y.value().host<double>()[i], expected[i], 1e-14);
}

TEST(Linear, KeepsThePreActivationOnlyWhenRecording) {
  CountingAllocator counting(allocator(Device::cpu()));
  const AllocatorScope scope(Device::cpu(), counting);
  const Var x(random_f64({8, 4}, 1));
  const Var weight =
      Var::parameter(random_f64({16, 4}, 2), Tensor::zeros({16, 4}, DType::kF64, Device::cpu()));
  const std::size_t before = counting.stats().live_bytes;
  const std::size_t result = 8 * 16 * sizeof(double);
  const auto bytes_of = [&](Activation activation) {
    const Var y = linear(x, weight, Var(), activation);
    return counting.stats().live_bytes - before;
  };
  EXPECT_EQ(bytes_of(Activation::kNone), result);
  EXPECT_EQ(bytes_of(Activation::kGelu), 2 * result);
  const NoGrad no_grad;
  EXPECT_EQ(bytes_of(Activation::kGelu), result);
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const Var x(random_f64({2, 4}, 1)), weight(random_f64({3, 4}, 2)), bias(random_f64({3}, 3));
  const auto refuses = [](const Var& a, const Var& b, const Var& c, const std::string& text) {
    expect_throws(
        ErrorKind::kInvalidArgument, [&] { linear(a, b, c); }, text);
  };
  refuses(x, Var(random_f64({3, 5}, 2)), bias, "weight must be [O, 4]");
  refuses(x, weight, Var(random_f64({4}, 3)), "bias must be f64 [3]");
  refuses(Var(random_f64({8}, 1)), weight, bias, "x must be real [N, C]");
  refuses(x, Var(weight.value().cast(DType::kF32)), bias, "weight must be f64");
  refuses(x, weight, Var(bias.value().cast(DType::kF32)), "bias must be f64");
  refuses(Var(), weight, bias, "x must be real");
}

}  // namespace
}  // namespace lodestone
