#pragma once
// Checkpoints of a run: RUN/checkpoints/step-NNNNNNNN/ with masters.safetensors,
// first_moments.safetensors, second_moments.safetensors (by parameter name), config.toml,
// state.json and hashes.json (XXH3 of each other file). A checkpoint is written aside, flushed to
// disk and renamed: it is whole or absent, and what it holds is compared with its hashes before it
// is used. `latest` beside them names the newest.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "engine/nn/parameter_store.h"
#include "train/adamw.h"
#include "train/config.h"

namespace lodestone {

// All there is to know of a run between two steps, beside its arrays and settings.
struct RunState {
  std::int64_t step = 0;                            // steps done
  LoaderState loader;                               // of the next global batch
  std::int64_t cells = 0, tokens = 0;               // seen so far
  bool validation_pending = false;                  // a stop came before the one of this step
  int threads = 1;                                  // bits are the same for the same number only
  std::map<std::string, std::string> input_hashes;  // XXH3 by setting: data, ...
};

// The numbers of a run between two steps, flat as in the store. Copying shares their memory.
struct TrainingArrays {
  const ParameterStore* layout;  // names and places
  Tensor masters, first_moments, second_moments;
  std::int64_t updates = 0;

  std::uint64_t bytes() const { return 3 * std::uint64_t{masters.bytes()}; }
};
TrainingArrays arrays_of(const ParameterStore& store, const AdamW& optimizer);

struct Checkpoint {
  std::filesystem::path path;
  RunState state;
  TrainConfig config;  // resolved
};

class CheckpointFolder {
 public:
  // `keep_last` >= 2. The folder is made by the first save.
  CheckpointFolder(std::filesystem::path folder, std::int64_t keep_last)
      : folder_(std::move(folder)), keep_last_(keep_last) {}

  // Writes step-<state.step>, points `latest` to it, and removes older ones but for the newest
  // keep_last that are good. Throws kOutOfMemory, saying what is needed and free, when the disk is
  // too full. No work for other threads: it may run beside a training step.
  void save(const TrainingArrays& arrays, const RunState& state, const TrainConfig& config) const;
  // The newest checkpoint whose files are all there and have their hashes; one warning for each
  // newer that is passed over, which says why. None when no checkpoint was ever written; throws
  // kBadInput when there are some and none is good.
  std::optional<Checkpoint> newest() const;
  // Removes what killed writers left. Only while no other process writes here.
  void remove_unfinished() const;

 private:
  std::vector<std::int64_t> steps() const;  // ascending
  std::filesystem::path path_of(std::int64_t step) const;
  void remove_old(std::int64_t newest_step) const;
  std::filesystem::path folder_;
  std::int64_t keep_last_;
};

// Fills masters, values, moments and the number of updates. Throws kBadInput when the checkpoint
// does not hold this model.
void restore(const Checkpoint& checkpoint, ParameterStore& store, AdamW& optimizer);

}  // namespace lodestone
