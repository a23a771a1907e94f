#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/core/threads.h"
#include "engine/memory/caching_allocator.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

using testing::expect_error;

constexpr std::int64_t kVocabulary = 120;

TrainConfig small_settings() {
  TrainConfig config;
  config.steps = 1000;
  config.model.vocabulary = kVocabulary;
  config.model.hidden = 32;
  config.model.layers = 2;
  config.model.heads = 1;
  config.model.intermediate = 64;
  config.model.max_positions = 40;
  config.model.use_promoter = config.model.use_co_exp = false;
  config.model.use_gene_family = config.model.use_peca_grn = false;
  config.schedule = {.shape = "constant", .peak_rate = 1e-3, .warmup_steps = 0};
  return config;
}

// Cells [first, last) of one endless stream of random cells, as one batch: any cut of a range gives
// the same cells. Every fifth gene of a cell is chosen; cell 3 has one gene that is not.
Batch cells_of_stream(std::int64_t first, std::int64_t last) {
  std::vector<std::int32_t> genes, species, masked_rows, gene_labels;
  std::vector<float> values, value_labels;
  std::vector<std::int64_t> offsets{0}, ordinals;
  for (std::int64_t cell = first; cell < last; ++cell) {
    std::mt19937 random(static_cast<std::uint32_t>(cell));
    std::vector<std::int32_t> order(kVocabulary - kSpecialTokens);
    std::iota(order.begin(), order.end(), kSpecialTokens);
    std::shuffle(order.begin(), order.end(), random);
    const std::int64_t length = cell == 3 ? 1 : 5 + static_cast<std::int64_t>(random() % 30);
    for (std::int64_t rank = 0; rank < length; ++rank) {
      const std::int32_t gene = order[static_cast<std::size_t>(rank)];
      const float value = 3.0f / static_cast<float>(rank + 1);
      const bool chosen = rank % 5 == 2;
      if (chosen) {
        masked_rows.push_back(static_cast<std::int32_t>(genes.size()));
        gene_labels.push_back(gene);
        value_labels.push_back(value);
      }
      genes.push_back(chosen ? kMaskToken : gene);
      values.push_back(chosen ? -1 : value);
    }
    offsets.push_back(static_cast<std::int64_t>(genes.size()));
    species.push_back(static_cast<std::int32_t>(cell % 2));
    ordinals.push_back(cell - first);
  }
  return {Tensor::from(genes),       Tensor::from(values),      Tensor::from(offsets),
          Tensor::from(species),     Tensor::from(ordinals),    Tensor::from(masked_rows),
          Tensor::from(gene_labels), Tensor::from(value_labels)};
}

// A global batch of cells [0, cuts.back()) in micro-batches that end at the cuts.
GlobalBatch cut_at(const std::vector<std::int64_t>& cuts) {
  GlobalBatch batch;
  std::int64_t begin = 0;
  for (const std::int64_t end : cuts) {
    Batch micro = cells_of_stream(begin, end);
    for (std::int64_t& ordinal : micro.ordinals.host<std::int64_t>()) ordinal += begin;
    batch.cells += micro.cells();
    batch.tokens += micro.tokens();
    batch.chosen += micro.chosen();
    batch.micro_batches.push_back(std::move(micro));
    begin = end;
  }
  return batch;
}

std::vector<float> elements(const Tensor& tensor) {
  const auto values = tensor.host<float>();
  return {values.begin(), values.end()};
}

// ||a - b|| / ||b||.
double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, whole = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    whole += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / whole);
}

struct OneStep {
  StepReport report;
  std::vector<float> gradients, weights;  // gradients: up to a factor
};

OneStep one_step(const TrainConfig& config, const GlobalBatch& batch) {
  Model model(config.model, DType::kF32, 1);
  Trainer trainer(model, config, config.steps);
  const StepReport report = trainer.step(batch);
  // The update zeroes the gradients; after the first, the first moments are a multiple of them.
  return {report, elements(trainer.optimizer().first_moments()), elements(model.store.masters())};
}

// The same dropout falls on the same cells, however they are cut. What differs is the order in
// which f32 numbers are summed: parts in the products of weight gradients, then the parts.
TEST(Trainer, AccumulatedMicroBatchesAreOneBatch) {
  TrainConfig config = small_settings();
  config.model.hidden_dropout = config.model.attention_dropout = 0.1;
  const OneStep whole = one_step(config, cut_at({8}));
  for (const std::vector<std::int64_t>& cuts : std::vector<std::vector<std::int64_t>>{
           {4, 8}, {2, 4, 6, 8}, {3, 4, 8}, {1, 2, 3, 4, 5, 6, 7, 8}}) {
    const OneStep parts = one_step(config, cut_at(cuts));
    EXPECT_NEAR(parts.report.loss, whole.report.loss, 1e-5 * whole.report.loss);
    EXPECT_LE(relative_difference(parts.gradients, whole.gradients), 1e-5);
  }
  config.model.hidden_dropout = 0;
  EXPECT_GT(relative_difference(one_step(config, cut_at({8})).gradients, whole.gradients), 1e-3)
      << "dropout does nothing";
}

std::vector<float> weights_after_three_steps(const TrainConfig& config, DType dtype, int threads) {
  const int before = thread_count();
  set_thread_count(threads);
  Model model(config.model, dtype, 1);
  Trainer trainer(model, config, config.steps);
  for (std::int64_t step = 0; step < 3; ++step) trainer.step(cut_at({40, 64}));
  set_thread_count(before);
  return elements(model.store.masters());
}

// Each sum is cut by what is summed, not by who sums.
TEST(Trainer, TheBitsDoNotDependOnTheNumberOfThreads) {
  TrainConfig config = small_settings();
  config.model.hidden = 128;
  config.model.heads = 2;
  config.model.intermediate = 256;
  config.model.hidden_dropout = config.model.attention_dropout = 0.1;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const std::vector<float> alone = weights_after_three_steps(config, dtype, 1);
    for (const int threads : {2, 3, 4})
      EXPECT_EQ(weights_after_three_steps(config, dtype, threads), alone)
          << name_of(dtype) << ", " << threads << " threads";
  }
}

TEST(Trainer, EightCellsAreLearntByHeart) {
  TrainConfig config = small_settings();
  config.model.hidden_dropout = config.model.attention_dropout = 0;
  config.optimizer.weight_decay = 0;
  config.schedule.peak_rate = 3e-3;
  Model model(config.model, DType::kF32, 1);
  Trainer trainer(model, config, config.steps);
  const GlobalBatch batch = cut_at({8});
  const StepReport first = trainer.step(batch);
  EXPECT_NEAR(first.id_loss, std::log(static_cast<double>(kVocabulary)), 0.2);
  StepReport last;
  for (int step = 0; step < 300; ++step) last = trainer.step(batch);
  EXPECT_LT(last.id_loss, 0.05 * first.id_loss);
  EXPECT_LT(last.value_loss, 0.05 * first.value_loss);
  EXPECT_EQ(last.step, 301);
}

TEST(Trainer, NothingChosenChangesNothing) {
  const TrainConfig config = small_settings();
  Model model(config.model, DType::kF32, 1);
  Trainer trainer(model, config, config.steps);
  const std::vector<float> before = elements(model.store.masters());
  GlobalBatch batch;
  batch.micro_batches.push_back(cells_of_stream(3, 4));
  batch.cells = batch.tokens = 1;
  const StepReport report = trainer.step(batch);
  EXPECT_EQ(report.step, 1);
  EXPECT_EQ(report.loss, 0);
  EXPECT_EQ(report.gradient_norm, 0);
  EXPECT_EQ(elements(model.store.masters()), before);
}

TEST(Trainer, ASteadyStepTakesNoMemory) {
  CountingAllocator counting(allocator(Device::cpu()));
  CachingAllocator cache(counting);
  const AllocatorScope scope(Device::cpu(), cache);
  Model model(small_settings().model, DType::kF32, 1);
  Trainer trainer(model, small_settings(), 1000);
  const GlobalBatch large = cut_at({4, 9, 12}), small = cut_at({5, 8});
  for (const GlobalBatch* batch : {&large, &small, &large}) trainer.step(*batch);
  const std::size_t before = counting.stats().allocations;
  for (const GlobalBatch* batch : {&small, &large, &small, &large}) trainer.step(*batch);
  EXPECT_EQ(counting.stats().allocations, before);
}

TEST(Trainer, ThreadsOfOneNumberGiveTheSameBits) {
  const TrainConfig config = small_settings();
  EXPECT_EQ(one_step(config, cut_at({4, 8})).weights, one_step(config, cut_at({4, 8})).weights);
}

TEST(Trainer, WhatIsNotFiniteStopsBeforeTheUpdateAndIsNamed) {
  const TrainConfig config = small_settings();
  Model model(config.model, DType::kF32, 1);
  Trainer trainer(model, config, config.steps);
  trainer.step(cut_at({8}));
  Parameter& weight = model.store.at("bert.encoder.layer.1.output.dense.bias");
  const float whole =
      std::exchange(weight.value.host<float>()[0], std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> moments = elements(trainer.optimizer().first_moments());
  expect_error(ErrorKind::kNumeric,
               "step 2: the weight bert.encoder.layer.1.output.dense.bias is not finite",
               [&] { trainer.step(cut_at({8})); });
  weight.value.host<float>()[0] = whole;

  GlobalBatch batch = cut_at({8});
  batch.micro_batches[0].value_labels.host<float>()[0] = std::numeric_limits<float>::infinity();
  expect_error(ErrorKind::kNumeric, "step 2: value_loss is not finite",
               [&] { trainer.step(batch); });
  EXPECT_EQ(trainer.steps_done(), 1);
  EXPECT_EQ(trainer.optimizer().updates(), 1);
  EXPECT_EQ(elements(trainer.optimizer().first_moments()), moments);
  EXPECT_EQ(trainer.step(cut_at({8})).step, 2);
}

TEST(Trainer, PriorWarmUpLongerThanTheRunIsRefused) {
  TrainConfig config = small_settings();
  config.model.emb_warmup_steps = 1000;
  Model model(config.model, DType::kF32, 1);
  expect_error(ErrorKind::kInvalidArgument, "emb_warmup_steps is 1000 but the run has only 1000",
               [&] { Trainer(model, config, config.steps); });
}

}  // namespace
}  // namespace lodestone
