#include "engine/nn/parameter_store.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/core/threads.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::expect_throws;
using testing::relative_error;

void declare_three(ParameterStore& store) {
  store.declare("embedding", {100, 33}, Init::normal(0.5f), Decay::kYes);
  store.declare("norm.weight", {33}, Init::constant(1), Decay::kNo);
  store.declare("norm.bias", {33}, Init::constant(0), Decay::kNo);
}

TEST(ParameterStore, LaysParametersOutInOrderAndAligned) {
  ParameterStore store;
  declare_three(store);
  store.materialize(Device::cpu(), DType::kF32, 1);
  std::int64_t end = 0;
  for (const Parameter& p : store.parameters()) {
    EXPECT_EQ(p.offset % 64, 0) << p.name;
    EXPECT_GE(p.offset, end) << p.name;
    EXPECT_LT(p.offset - end, 64) << p.name;
    end = p.offset + p.numel();
    EXPECT_EQ(p.value.shape(), p.shape);
    EXPECT_EQ(p.value.data(), store.values().slice(p.offset, p.shape).data());
    EXPECT_EQ(p.gradient.data(), store.gradients().slice(p.offset, p.shape).data());
    EXPECT_TRUE(p.var.requires_grad());
  }
  EXPECT_EQ(store.values().numel(), end);
}

TEST(ParameterStore, StartsAsDeclared) {
  ParameterStore store;
  declare_three(store);
  store.materialize(Device::cpu(), DType::kF32, 1);
  for (const float v : store.at("norm.weight").value.host<float>()) EXPECT_EQ(v, 1.0f);
  for (const float v : store.at("norm.bias").value.host<float>()) EXPECT_EQ(v, 0.0f);
  double sum = 0, squares = 0;
  const Tensor& drawn = store.at("embedding").value;
  for (const float v : drawn.host<float>()) {
    sum += v;
    squares += double{v} * v;
  }
  const auto n = static_cast<double>(drawn.numel());
  EXPECT_NEAR(sum / n, 0, 4 * 0.5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 0.25, 4 * 0.25 * std::sqrt(2 / n));
  for (const float v : store.gradients().host<float>()) EXPECT_EQ(v, 0.0f);
}

TEST(ParameterStore, TheSeedAloneDecidesTheDraw) {
  const auto values = [](std::uint64_t seed, int threads) {
    const int previous = thread_count();
    set_thread_count(threads);
    ParameterStore store;
    declare_three(store);
    store.materialize(Device::cpu(), DType::kF32, seed);
    set_thread_count(previous);
    return store.values();
  };
  EXPECT_EQ(relative_error(values(1, 1), values(1, 3)), 0);
  EXPECT_GT(relative_error(values(1, 1), values(2, 1)), 0.5);
}

TEST(ParameterStore, TheGapsStayZero) {
  ParameterStore store;
  declare_three(store);
  store.materialize(Device::cpu(), DType::kF32, 1);
  const Parameter& weight = store.at("norm.weight");
  const std::int64_t gap = weight.offset + weight.numel();
  const std::int64_t next = store.at("norm.bias").offset;
  ASSERT_GT(next, gap);
  for (const float v : store.values().slice(gap, {next - gap}).host<float>()) EXPECT_EQ(v, 0.0f);
}

TEST(ParameterStore, MastersAreTheValuesWhenDtypesAgree) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    ParameterStore store;
    declare_three(store);
    store.materialize(Device::cpu(), dtype, 1);
    EXPECT_EQ(store.compute_type(), dtype);
    EXPECT_EQ(store.masters().data(), store.values().data());
    EXPECT_EQ(store.gradients().dtype(), dtype);
  }
}

TEST(ParameterStore, Bf16ValuesAreTheRoundedMasters) {
  ParameterStore store;
  declare_three(store);
  store.materialize(Device::cpu(), DType::kBf16, 1);
  EXPECT_EQ(store.masters().dtype(), DType::kF32);
  EXPECT_EQ(store.gradients().dtype(), DType::kF32);
  const auto rounded = [&] { return store.masters().cast(DType::kBf16); };
  EXPECT_EQ(relative_error(store.values(), rounded()), 0);
  for (float& v : store.masters().host<float>()) v += 0.3f;
  EXPECT_GT(relative_error(store.values(), rounded()), 0.1);
  store.publish_masters();
  EXPECT_EQ(relative_error(store.values(), rounded()), 0);
  EXPECT_EQ(relative_error(store.at("norm.weight").value,
                           store.at("norm.weight").master.cast(DType::kBf16)),
            0);
}

TEST(ParameterStore, ZeroesItsGradients) {
  ParameterStore store;
  declare_three(store);
  store.materialize(Device::cpu(), DType::kF32, 1);
  store.at("norm.bias").gradient.host<float>()[3] = 5;
  store.zero_gradients();
  EXPECT_EQ(store.at("norm.bias").gradient.host<float>()[3], 0);
}

TEST(ParameterStore, RefusesWhatIsAgainstItsOrder) {
  ParameterStore store;
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { store.materialize(Device::cpu(), DType::kF32, 1); },
      "nothing to materialise");
  declare_three(store);
  expect_throws(
      ErrorKind::kInvalidArgument,
      [&] { store.declare("embedding", {1}, Init::constant(0), Decay::kNo); },
      "embedding: declared twice");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { store.materialize(Device::cpu(), DType::kI32, 1); },
      "i32 is not a floating type");
  store.materialize(Device::cpu(), DType::kF32, 1);
  expect_throws(
      ErrorKind::kInvalidArgument,
      [&] { store.declare("late", {1}, Init::constant(0), Decay::kNo); }, "late: declared after");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { store.at("nothing"); }, "no parameter nothing");
}

}  // namespace
}  // namespace lodestone
