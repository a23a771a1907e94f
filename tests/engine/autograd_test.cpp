#include <gtest/gtest.h>

#include "engine/autograd/var.h"
#include "engine/memory/allocator.h"
#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::expect_throws;
using testing::random_f64;

Tensor scalar(double value) {
  return Tensor::from(std::vector<double>{value});
}

double value_of(const Tensor& t) {
  return t.host<double>()[0];
}

// y = a * b for two tensors [1]; counts how often its backward ran.
Var product(const Var& a, const Var& b, int* runs = nullptr) {
  const double left = value_of(a.value()), right = value_of(b.value());
  return Var::record("product", scalar(left * right), {a, b},
                     [left, right, runs](const Tensor& dy, Grads& grads) {
                       if (runs) ++*runs;
                       const double others[] = {right, left};
                       for (int k = 0; k < 2; ++k) {
                         const kernels::Gradient to = grads.want(k, DType::kF64);
                         if (!to.data) continue;
                         auto* sum = static_cast<double*>(to.data);
                         *sum = value_of(dy) * others[k] + (to.accumulate ? *sum : 0.0);
                       }
                     });
}

struct Leaf {
  explicit Leaf(double value) : gradient(scalar(0)), var(Var::parameter(scalar(value), gradient)) {}
  Tensor gradient;
  Var var;
};

TEST(Autograd, AddsTheContributionsOfAReusedValue) {
  const Leaf a(2), b(3), c(5);
  const Var ab = product(a.var, b.var);
  const Var y = product(product(ab, c.var), product(ab, b.var));  // a^2 b^3 c
  backward(y, scalar(1));
  EXPECT_DOUBLE_EQ(value_of(a.gradient), 2 * 2 * 27 * 5);
  EXPECT_DOUBLE_EQ(value_of(b.gradient), 4 * 3 * 9 * 5);
  EXPECT_DOUBLE_EQ(value_of(c.gradient), 4 * 27);
}

TEST(Autograd, AccumulatesOverBackwards) {
  const Leaf a(2);
  for (int pass = 0; pass < 3; ++pass) backward(product(a.var, Var(scalar(7))), scalar(10));
  EXPECT_DOUBLE_EQ(value_of(a.gradient), 210);
}

TEST(Autograd, VisitsEveryOpOnceAndLaterOpsFirst) {
  const Leaf a(1), b(1);
  int runs = 0;
  Var y = product(a.var, b.var, &runs);
  for (int depth = 0; depth < 20; ++depth)  // 2^20 paths
    y = product(product(y, Var(scalar(1)), &runs), product(y, Var(scalar(1)), &runs), &runs);
  backward(y, scalar(1));
  EXPECT_EQ(runs, 1 + 3 * 20);
  EXPECT_DOUBLE_EQ(value_of(a.gradient), 1 << 20);
}

TEST(Autograd, RecordsNothingWithoutAParameterOrUnderNoGrad) {
  const Leaf a(2);
  EXPECT_FALSE(product(Var(scalar(1)), Var(scalar(2))).requires_grad());
  EXPECT_TRUE(product(a.var, Var(scalar(2))).requires_grad());
  EXPECT_TRUE(Var::records({a.var, Var()}));
  {
    const NoGrad outer;
    { const NoGrad inner; }
    EXPECT_FALSE(product(a.var, Var(scalar(2))).requires_grad());
    EXPECT_FALSE(Var::records({a.var}));
  }
  EXPECT_TRUE(product(a.var, Var(scalar(2))).requires_grad());
  EXPECT_FALSE(Var::records({Var(scalar(1)), Var()}));
}

TEST(Autograd, RefusesTheSameDifferentiableInputTwice) {
  const Leaf a(2);
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { product(a.var, a.var); },
      "product: two inputs are the same");
  const Var constant(scalar(3));
  EXPECT_EQ(value_of(product(constant, constant).value()), 9);
}

TEST(Autograd, RefusesWhatCannotBeDifferentiated) {
  const Leaf a(2);
  expect_throws(
      ErrorKind::kInvalidArgument, [] { backward(Var(scalar(1)), scalar(1)); },
      "depends on no parameter");
  const Var y = product(a.var, Var(scalar(2)));
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { backward(y, random_f64({2}, 1)); },
      "the seed must be f64 [1], got f64 [2]");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { backward(y, scalar(1).cast(DType::kF32)); }, "got f32");
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] { Var::parameter(scalar(1).cast(DType::kBf16), scalar(0).cast(DType::kBf16)); },
      "the gradient of bf16 [1] must be f32");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { y.on_gradient_ready([] {}); }, "only parameters");
}

TEST(Autograd, AHookFiresOnceAfterTheLastContribution) {
  const Leaf a(2), b(3), unused(1);
  std::vector<double> seen_a, seen_b;
  a.var.on_gradient_ready([&] { seen_a.push_back(value_of(a.gradient)); });
  b.var.on_gradient_ready([&] { seen_b.push_back(value_of(b.gradient)); });
  unused.var.on_gradient_ready([] { FAIL() << "not part of the loss"; });
  const Var first = product(a.var, b.var);
  const Var y = product(first, product(a.var, Var(scalar(10))));  // 10 a^2 b
  backward(y, scalar(1));
  EXPECT_EQ(seen_a, std::vector<double>{120});
  EXPECT_EQ(seen_b, std::vector<double>{40});
}

TEST(Autograd, FreesTheGraphAsItGoes) {
  CountingAllocator counting(allocator(Device::cpu()));
  {
    const AllocatorScope scope(Device::cpu(), counting);
    const Leaf a(2);
    const std::size_t before = counting.stats().live_blocks;
    auto saved = std::make_shared<int>(0);
    const std::weak_ptr<int> watch = saved;
    Var y = Var::record("keeps", scalar(1), {a.var}, [saved](const Tensor&, Grads&) {});
    saved.reset();
    EXPECT_FALSE(watch.expired());
    backward(y, scalar(1));
    EXPECT_TRUE(watch.expired()) << "the closure outlived its run";
    y = Var();
    EXPECT_EQ(counting.stats().live_blocks, before);
  }
  EXPECT_EQ(counting.stats().live_blocks, 0u);
}

TEST(Autograd, AGraphThatIsNeverDifferentiatedIsFreedToo) {
  CountingAllocator counting(allocator(Device::cpu()));
  {
    const AllocatorScope scope(Device::cpu(), counting);
    const Leaf a(2), b(3);
    product(product(a.var, b.var), b.var);
  }
  EXPECT_EQ(counting.stats().live_blocks, 0u);
}

// A weight that is itself a result gets its gradient in f32, and its maker sees it in bf16.
TEST(Autograd, ABackwardGetsTheGradientInTheDtypeOfItsResult) {
  Tensor dx = Tensor::zeros({2, 3}, DType::kF32, Device::cpu());
  const Var x = Var::parameter(random_f64({2, 3}, 1).cast(DType::kBf16), dx);
  const Var weight = Var::record("copy", x.value().clone(), {x}, [](const Tensor& dy, Grads& g) {
    EXPECT_EQ(dy.dtype(), DType::kBf16);
    const kernels::Gradient to = g.want(0, DType::kF32);
    EXPECT_TRUE(to.accumulate);
    const Tensor wide = dy.cast(DType::kF32);
    std::copy(wide.host<float>().begin(), wide.host<float>().end(), static_cast<float*>(to.data));
  });
  const Tensor one = Tensor::from(std::vector<float>{1, 1, 1}).cast(DType::kBf16).view({1, 3});
  backward(linear(Var(one), weight, Var()), one.slice(0, {1, 2}));
  for (const float v : dx.host<float>()) EXPECT_EQ(v, 1.0f);
}

TEST(Autograd, AGradientAskedInTheWrongDtypeIsAnInternalError) {
  const Leaf a(2);
  const Var y = Var::record("narrow", scalar(1), {a.var},
                            [](const Tensor&, Grads& grads) { grads.want(0, DType::kF32); });
  expect_throws(
      ErrorKind::kInternal, [&] { backward(y, scalar(1)); },
      "narrow: writes the gradient of input 0 as f32, but it is f64");
}

}  // namespace
}  // namespace lodestone
