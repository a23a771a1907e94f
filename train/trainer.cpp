#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/profile.h"
#include "engine/ops.h"

namespace lodestone {

namespace {

using Clock = std::chrono::steady_clock;

double model_flops(const ModelConfig& model, const GlobalBatch& batch) {
  std::vector<CellSize> cells;
  for (const Batch& micro : batch.micro_batches) {
    const auto offsets = micro.offsets.host<std::int64_t>();
    const auto rows = micro.chosen() > 0 ? micro.masked_rows.host<std::int32_t>()
                                         : std::span<const std::int32_t>();
    const auto chosen_before = [&](std::int64_t row) {
      return std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
    };
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b)
      cells.push_back(
          {offsets[b + 1] - offsets[b], chosen_before(offsets[b + 1]) - chosen_before(offsets[b])});
  }
  return model.training_flops(cells);
}

// The means that a report holds, of sums over `chosen` positions.
template <class Report>
void set_losses(Report& report, const LossSums& sums, std::int64_t chosen) {
  report.id_loss = sums.id / static_cast<double>(chosen);
  report.value_loss = sums.value / static_cast<double>(chosen);
  report.loss = kGeneLossWeight * report.id_loss + kValueLossWeight * report.value_loss;
}

void check_finite(const LossSums& sums, std::int64_t step, const ParameterStore& store) {
  if (std::isfinite(sums.id) && std::isfinite(sums.value)) return;
  const Tensor masters = store.masters().to(Device::cpu());
  const auto weights = masters.host<float>();
  for (const Parameter& p : store.parameters())
    for (std::int64_t i = p.offset; i < p.offset + p.numel(); ++i)
      if (!std::isfinite(weights[static_cast<std::size_t>(i)]))
        fail(ErrorKind::kNumeric, "step {}: the weight {} is not finite; nothing was updated", step,
             p.name);
  fail(ErrorKind::kNumeric,
       "step {}: {} is not finite while every weight is; nothing was updated. A lower "
       "schedule.peak_rate or a longer warm-up may help",
       step, std::isfinite(sums.id) ? "value_loss" : "id_loss");
}

// 1 where the loss is finite, else NaN: then so are the gradients and their norm, and the update
// changes nothing, though the host has not seen the loss.
Tensor one_if_finite(const Tensor& loss, const Tensor& one) {
  const std::vector<Var> terms{Var(loss), Var(one)};
  const std::vector<double> weights{0, 1};
  return weighted_sum(terms, weights).value();
}

}  // namespace

Trainer::Trainer(Model& model, const TrainConfig& config, std::int64_t total_steps)
    : model_(model),
      config_(config),
      total_steps_(total_steps),
      optimizer_(model.store, config.optimizer) {
  lodestone::validate(config);
  lodestone::validate(config.schedule, total_steps);
  const std::int64_t warmup = model.network.config().emb_warmup_steps;
  check(
      warmup < total_steps,
      "model.emb_warmup_steps is {} but the run has only {} steps: the priors would never be used "
      "in full",
      warmup, total_steps);
}

ForwardContext Trainer::context(bool training) const {
  return {.training = training,
          .seed = config_.seed,
          .step = static_cast<std::uint64_t>(steps_done_),
          .prior_scale = prior_scale(steps_done_, model_.network.config().emb_warmup_steps)};
}

StepReport Trainer::step(const GlobalBatch& batch) {
  const auto start = Clock::now();
  StepReport report{.batch_cells = batch.cells,
                    .batch_tokens = batch.tokens,
                    .learning_rate = learning_rate(config_.schedule, steps_done_, total_steps_),
                    .model_flops = model_flops(model_.network.config(), batch),
                    .wait_seconds = batch.wait_seconds};
  if (batch.chosen > 0) {
    const std::vector<Losses> losses = accumulate_gradients(batch);
    optimizer_.measure_gradients();
    lap("gradient_norm");
    optimizer_.update(report.learning_rate);
    lap("adamw");
    // From here on the step waits for the device.
    report.gradient_norm = optimizer_.gradient_norm();
    LossSums sums;
    for (const Losses& some : losses) sums.add(some);
    check_finite(sums, steps_done_ + 1, model_.store);
    optimizer_.check_gradients();
    gradients_are_zero_ = true;
    set_losses(report, sums, batch.chosen);
  }
  report.step = ++steps_done_;
  report.seconds = batch.wait_seconds + std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

std::vector<Losses> Trainer::accumulate_gradients(const GlobalBatch& batch) {
  const ForwardContext forward = context(true);
  std::vector<Losses> all;
  // An update leaves them zero, in its one pass; a first step or one after a failed one may not.
  if (!std::exchange(gradients_are_zero_, false)) model_.store.zero_gradients();
  lap("zero_gradients");
  const Tensor one = Tensor::from(std::vector<float>{1}).to(model_.store.device());
  TokenTable table = model_.network.token_table(batch.micro_batches, forward);
  for (const Batch& micro : batch.micro_batches) {
    if (micro.chosen() == 0) continue;
    Losses losses = model_.network.losses(micro, table, forward, batch.chosen);
    backward(losses.total, one_if_finite(losses.total.value(), one));
    losses.total = Var();
    all.push_back(std::move(losses));
  }
  table.backward();
  return all;
}

std::optional<ValidationReport> Trainer::validate(
    const TokenDirectory& data, std::span<const std::int64_t> cells,
    const std::function<bool()>& stop_requested) const {
  constexpr std::int64_t kMaskEpoch = 0;
  const NoGrad no_grad;
  const ForwardContext forward = context(false);
  LossSums sums;
  ValidationReport report;
  for (const std::vector<std::int64_t>& some : cut_by_tokens(data, cells, config_.loader)) {
    if (stop_requested()) return std::nullopt;
    const Batch batch = make_batch(data, some, report.cells, kMaskEpoch, config_.loader);
    report.cells += batch.cells();
    report.chosen += batch.chosen();
    if (batch.chosen() == 0) continue;
    const TokenTable table = model_.network.token_table({&batch, 1}, forward);
    sums.add(model_.network.losses(batch, table, forward, batch.chosen()));
  }
  if (report.chosen > 0) set_losses(report, sums, report.chosen);
  return report;
}

std::vector<std::vector<std::int64_t>> cut_by_tokens(const TokenDirectory& data,
                                                     std::span<const std::int64_t> cells,
                                                     const LoaderConfig& config) {
  std::vector<std::vector<std::int64_t>> runs;
  std::int64_t tokens = 0;
  for (const std::int64_t cell : cells) {
    const std::int64_t length = std::min(data.length(cell), config.max_length);
    if (runs.empty() || tokens + length > config.micro_batch_tokens) {
      runs.emplace_back();
      tokens = 0;
    }
    runs.back().push_back(cell);
    tokens += length;
  }
  return runs;
}

}  // namespace lodestone
