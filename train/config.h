#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/loader.h"
#include "engine/core/dtype.h"
#include "model/config.h"
#include "train/adamw.h"
#include "train/schedule.h"

namespace lodestone {

// Everything that decides what a run computes. The resolved settings are config.toml of the run.
struct TrainConfig {
  std::string data;
  std::string priors;
  std::string vocab;
  std::string init;
  std::int64_t steps = 0;
  std::int64_t epochs = 5;
  std::string dtype = "f32";
  double held_out = 0.1;
  std::int64_t validate_every = 500;
  std::int64_t validation_cells = 1000;
  std::int64_t save_every = 500;
  std::int64_t keep_last = 2;
  bool background_save = true;
  bool tensorboard = true;
  std::int64_t report_every = 10;
  ModelConfig model{.prior_width = 0};
  LoaderConfig loader;  // its seed is the run's
  AdamWConfig optimizer;
  ScheduleConfig schedule;
  std::uint64_t seed = 42;
  Device device;  // no setting: a run may continue on another

  // The settings but the seed, which every command has anyway.
  template <class Visitor>
  void settings(Visitor& visit) {
    visit("data", data, "token directory (required for a new run)");
    visit("priors", priors, "priors.h5; without it the priors are switched off");
    visit("vocab", vocab, "vocab.json of the tokens; default: the one in the token directory");
    visit("init", init, "model directory to start from; its config.json replaces [model]");
    visit("steps", steps, "updates; 0 = as many as `epochs` have");
    visit("epochs", epochs, "passes over the training cells, when steps is 0");
    visit("dtype", dtype, "what the network computes in, f32 or bf16 (weights are kept in f32)");
    visit("held_out", held_out, "share of the cells kept from training, for validation");
    visit("validate_every", validate_every, "steps between validations; 0 = never");
    visit("validation_cells", validation_cells, "most held-out cells a validation looks at");
    visit("save_every", save_every, "steps between checkpoints; 0 = only at the end");
    visit("keep_last", keep_last, "good checkpoints kept, at least 2");
    visit("background_save", background_save,
          "train on while a checkpoint is written; takes 12 bytes of memory a parameter");
    visit("tensorboard", tensorboard, "write event files for TensorBoard");
    visit("report_every", report_every, "steps between lines on the console");
    visit("model", model, "sizes and switches of the network");
    visit("loader", loader, "batches");
    visit("optimizer", optimizer, "AdamW");
    visit("schedule", schedule, "learning rate");
  }
  template <class Visitor>
  void fields(Visitor& visit) {
    visit("seed", seed, "of weights, dropout, masks, the order of cells and which are held out");
    settings(visit);
  }

  // For data with that many steps in an epoch.
  std::int64_t total_steps(std::int64_t steps_per_epoch) const {
    return steps > 0 ? steps : epochs * steps_per_epoch;
  }
  DType compute_type() const;  // throws kInvalidArgument for another dtype
};

// Throws kInvalidArgument naming every setting of the run itself that is impossible; those of a
// component are checked by the component.
void validate(const TrainConfig& config);

TrainConfig read_train_config(const std::filesystem::path& file);
std::string to_toml(TrainConfig config);

// `base` with every setting of `given` that is not the default.
TrainConfig overlaid(TrainConfig base, TrainConfig given);

// The settings in which a continued run differs from its checkpoint and may not, one
// "key: before -> now" each. Reporting, validating, saving, prefetching and where the inputs lie
// may change.
std::vector<std::string> forbidden_changes(TrainConfig before, TrainConfig now);

}  // namespace lodestone
