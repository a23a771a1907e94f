#include "train/adamw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/threads.h"
#include "kernels/adamw.h"

namespace lodestone {
namespace {

// Two decayed parameters and a bias; 40,000 elements make several pieces, 7 an uneven one.
void fill(ParameterStore& store, DType compute = DType::kF32) {
  store.declare("weight", {200, 200}, Init::normal(0.5f), Decay::kYes);
  store.declare("bias", {7}, Init::normal(0.5f), Decay::kNo);
  store.declare("last", {33}, Init::normal(0.5f), Decay::kYes);
  store.materialize(Device::cpu(), compute, 1);
}

void set_gradients(ParameterStore& store, int step) {
  Tensor gradients = store.gradients();
  for (const Parameter& p : store.parameters())
    for (std::int64_t i = 0; i < p.numel(); ++i) {
      const auto at = static_cast<double>(p.offset + i + 1);
      gradients.host<float>()[static_cast<std::size_t>(p.offset + i)] =
          static_cast<float>(std::sin(at * (step + 1)) * std::exp(std::cos(0.37 * at)));
    }
}

// The update as the paper writes it, in f64.
struct PlainAdamW {
  std::vector<double> p, m, v;
  void update(const ParameterStore& store, const AdamWConfig& c, int t, double rate, double scale) {
    const Tensor gradients = store.gradients();
    for (const Parameter& parameter : store.parameters())
      for (std::int64_t j = 0; j < parameter.numel(); ++j) {
        const auto i = static_cast<std::size_t>(parameter.offset + j);
        const double g = scale * static_cast<double>(gradients.host<float>()[i]);
        if (parameter.decay == Decay::kYes) p[i] -= rate * c.weight_decay * p[i];
        m[i] = c.beta1 * m[i] + (1 - c.beta1) * g;
        v[i] = c.beta2 * v[i] + (1 - c.beta2) * g * g;
        const double m_hat = m[i] / (1 - std::pow(c.beta1, t));
        const double v_hat = v[i] / (1 - std::pow(c.beta2, t));
        p[i] -= rate * m_hat / (std::sqrt(v_hat) + c.eps);
      }
  }
};

std::vector<float> run(int threads, int steps) {
  const int before = thread_count();
  set_thread_count(threads);
  ParameterStore store;
  fill(store);
  AdamW optimizer(store, {});
  for (int step = 0; step < steps; ++step) {
    set_gradients(store, step);
    optimizer.measure_gradients();
    optimizer.update(1e-2);
  }
  set_thread_count(before);
  const Tensor masters = store.masters();
  const auto values = masters.host<float>();
  return {values.begin(), values.end()};
}

TEST(AdamW, EqualsThePlainFormulaInF64) {
  ParameterStore store;
  fill(store);
  const AdamWConfig config{.weight_decay = 0.1};
  AdamW optimizer(store, config);
  const Tensor masters = store.masters();
  const auto start = masters.host<float>();
  PlainAdamW plain{{start.begin(), start.end()},
                   std::vector<double>(start.size()),
                   std::vector<double>(start.size())};
  for (int step = 0; step < 20; ++step) {
    set_gradients(store, step);
    optimizer.measure_gradients();
    const double norm = optimizer.gradient_norm();
    plain.update(store, config, step + 1, 1e-2, std::min(1.0, 1.0 / (norm + 1e-6)));
    optimizer.update(1e-2);
  }
  // 20 steps of two roundings each.
  const Tensor second = optimizer.second_moments();
  for (const Parameter& p : store.parameters())
    for (auto i = static_cast<std::size_t>(p.offset);
         i < static_cast<std::size_t>(p.offset + p.numel()); ++i) {
      ASSERT_NEAR(static_cast<double>(start[i]), plain.p[i], 40 * 0x1p-25);  // numbers near 1
      ASSERT_NEAR(static_cast<double>(second.host<float>()[i]), plain.v[i],
                  40 * 0x1p-24 * plain.v[i]);
    }
}

// One element by hand: g = 0.5, no clipping. After one step m_hat = g and v_hat = g^2, so the move
// is rate * sign(g) after the decay: 2 * (1 - 0.1 * 0.01) - 0.1 = 1.898. The second, with g = -1:
// m_hat = (0.09 * 0.5 - 0.1) / 0.19, v_hat = (0.000999 * 0.25 + 0.001) / 0.001999.
TEST(AdamW, TwoStepsByHand) {
  ParameterStore store;
  store.declare("x", {1}, Init::constant(2), Decay::kYes);
  store.materialize(Device::cpu(), DType::kF32, 0);
  AdamW optimizer(store, {.max_gradient_norm = 0});
  Tensor gradients = store.gradients();
  gradients.host<float>()[0] = 0.5f;
  optimizer.measure_gradients();
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), 0.5);
  optimizer.update(0.1);
  EXPECT_NEAR(static_cast<double>(store.masters().host<float>()[0]), 1.898, 1e-6);
  gradients.host<float>()[0] = -1;
  optimizer.measure_gradients();
  optimizer.update(0.1);
  const double m_hat = (0.09 * 0.5 - 0.1) / 0.19;
  const double v_hat = (0.000999 * 0.25 + 0.001) / 0.001999;
  EXPECT_NEAR(static_cast<double>(store.masters().host<float>()[0]),
              1.898 * 0.999 - 0.1 * m_hat / std::sqrt(v_hat), 1e-6);
}

TEST(AdamW, NormIsExactAndClippingAsInTorch) {
  ParameterStore store;
  fill(store);
  AdamW optimizer(store, {});
  Tensor gradients = store.gradients();
  for (const Parameter& p : store.parameters())
    std::fill_n(gradients.host<float>().begin() + p.offset, p.numel(), 2.0f);
  optimizer.measure_gradients();
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), std::sqrt(4.0 * (40000 + 7 + 33)));
  EXPECT_DOUBLE_EQ(kernels::clip_coefficient(4, 1), 1 / 4.000001);
  EXPECT_DOUBLE_EQ(kernels::clip_coefficient(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(kernels::clip_coefficient(0, 1), 1);
  EXPECT_DOUBLE_EQ(kernels::clip_coefficient(4, 0), 1);
}

TEST(AdamW, ThreadsDoNotChangeABit) {
  const std::vector<float> one = run(1, 5);
  EXPECT_EQ(one, run(2, 5));
  EXPECT_EQ(one, run(3, 5));
}

TEST(AdamW, PublishesMastersToBf16Values) {
  ParameterStore store;
  fill(store, DType::kBf16);
  AdamW optimizer(store, {});
  set_gradients(store, 0);
  optimizer.measure_gradients();
  optimizer.update(1e-2);
  const Tensor rounded = store.masters().cast(DType::kBf16).cast(DType::kF32);
  const Tensor values = store.values().cast(DType::kF32);
  EXPECT_TRUE(std::ranges::equal(rounded.host<float>(), values.host<float>()));
}

TEST(AdamW, LeavesTheGradientsZero) {
  for (const DType compute : {DType::kF32, DType::kBf16}) {
    ParameterStore store;
    fill(store, compute);
    AdamW optimizer(store, {});
    set_gradients(store, 0);
    optimizer.measure_gradients();
    optimizer.update(1e-2);
    const Tensor gradients = store.gradients();
    for (const float g : gradients.host<float>()) ASSERT_EQ(g, 0.0f);
  }
}

TEST(AdamW, NonFiniteGradientIsNamedAndChangesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    ParameterStore store;
    fill(store);
    AdamW optimizer(store, {});
    set_gradients(store, 0);
    store.at("bias").gradient.host<float>()[3] = bad;
    store.at("last").gradient.host<float>()[3] = bad;
    const Tensor before = store.masters().clone();
    optimizer.measure_gradients();
    optimizer.update(1e-2);
    EXPECT_FALSE(std::isfinite(optimizer.gradient_norm()));
    EXPECT_EQ(optimizer.updates(), 0);
    EXPECT_TRUE(std::ranges::equal(before.host<float>(), store.masters().host<float>()));
    try {
      optimizer.check_gradients();
      FAIL() << "expected kNumeric";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNumeric);
      EXPECT_NE(std::string(error.what()).find("gradient of bias"), std::string::npos);
    }
  }
}

TEST(AdamW, SettingsAreChecked) {
  ParameterStore store;
  fill(store);
  EXPECT_THROW(AdamW(store, {.beta1 = 1}), Error);
  EXPECT_THROW(AdamW(store, {.eps = 0}), Error);
  EXPECT_THROW(AdamW(store, {.weight_decay = -1}), Error);
  EXPECT_THROW(AdamW(store, {.max_gradient_norm = std::nan("")}), Error);
}

}  // namespace
}  // namespace lodestone
