#pragma once
#include <filesystem>
#include <functional>
#include <optional>

#include "train/config.h"
#include "train/metrics.h"

namespace lodestone {

struct PretrainingResult {
  std::int64_t steps = 0, total_steps = 0;
  bool stopped = false;                        // because it was asked to, before the end
  std::optional<StepReport> last;              // none when there was nothing left to do
  std::optional<ValidationReport> validation;  // the last one
  std::filesystem::path model;                 // empty unless the run is complete
};

// Trains in the run directory `out` until the settings' last step: config.toml, metrics.jsonl,
// tensorboard/, checkpoints/ and, at the end, model/. `resume` goes on from the newest good
// checkpoint of `out`, bit for bit as if it had never stopped (on the same number of threads);
// settings that are not the default then replace those of the run, and throw kInvalidArgument where
// they may not. Where there is no run yet, `resume` begins one if the settings name data: so the
// same call serves for every start of a job.
//
// `stop_requested` is asked between steps and within a validation: a checkpoint is saved, and that
// is the end. A disk that is full when a checkpoint is due is a warning, and the next one tries
// again; at the end of the run it is kOutOfMemory.
PretrainingResult pretrain(
    const TrainConfig& settings, const std::filesystem::path& out, bool resume,
    const std::function<bool()>& stop_requested = [] { return false; });

}  // namespace lodestone
