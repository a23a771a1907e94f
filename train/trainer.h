#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/loader.h"
#include "model/model_directory.h"
#include "train/adamw.h"
#include "train/config.h"
#include "train/metrics.h"

namespace lodestone {

// Of the losses, over chosen positions.
struct LossSums {
  double id = 0, value = 0;
  void add(const Losses& losses) {
    id += losses.id_sum();
    value += losses.value_sum();
  }
};

// Trains a model, one global batch at a time. What it computes depends on the model, the settings,
// the batches and the number of threads alone.
class Trainer {
 public:
  // The model must outlive the trainer. `total_steps` is where the schedule ends.
  Trainer(Model& model, const TrainConfig& config, std::int64_t total_steps);

  // Forward and backward of every micro-batch, then one update; waits for a GPU at its end only.
  // Nothing chosen: nothing is updated, but the step counts. Throws kNumeric naming the first
  // tensor that is not finite; then nothing was updated.
  StepReport step(const GlobalBatch& batch);

  // The losses of these cells without dropout; their masks are always the same. None when
  // `stop_requested`, asked before each micro-batch, says so.
  std::optional<ValidationReport> validate(const TokenDirectory& data,
                                           std::span<const std::int64_t> cells,
                                           const std::function<bool()>& stop_requested) const;

  std::int64_t steps_done() const { return steps_done_; }
  AdamW& optimizer() { return optimizer_; }
  const AdamW& optimizer() const { return optimizer_; }
  // After the model's and the optimizer's contents were restored.
  void set_steps_done(std::int64_t steps) { steps_done_ = steps; }

 private:
  ForwardContext context(bool training) const;
  // Into the store; they are those of the loss of the whole global batch. Gives the losses of its
  // micro-batches, without their graphs.
  std::vector<Losses> accumulate_gradients(const GlobalBatch& batch);
  Model& model_;
  TrainConfig config_;
  std::int64_t total_steps_, steps_done_ = 0;
  AdamW optimizer_;
  bool gradients_are_zero_ = false;
};

// Cuts cells into runs of at most `tokens` tokens and at least one cell: what is computed at once.
std::vector<std::vector<std::int64_t>> cut_by_tokens(const TokenDirectory& data,
                                                     std::span<const std::int64_t> cells,
                                                     const LoaderConfig& config);

}  // namespace lodestone
