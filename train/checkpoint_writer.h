#pragma once
#include <future>
#include <optional>

#include "train/checkpoint.h"

namespace lodestone {

// Writes checkpoints, one at a time, on a thread of its own while training goes on: what is to be
// written is copied first (12 bytes a parameter, kept for the next one). What a save meets is
// thrown by the next call.
class CheckpointWriter {
 public:
  // `background` false: start() writes what it is given and copies nothing. `saved`: the step of a
  // checkpoint that is there.
  CheckpointWriter(CheckpointFolder folder, bool background, std::optional<std::int64_t> saved)
      : folder_(std::move(folder)), background_(background), saved_(saved) {}
  ~CheckpointWriter();  // waits; what it then meets is a warning
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Begins to save, after the save under way.
  void start(const TrainingArrays& arrays, const RunState& state, const TrainConfig& config);
  void check();  // whether a save has ended, without waiting
  void wait();   // until none is under way
  // The step of the newest checkpoint that is known to be on the disk.
  std::optional<std::int64_t> saved() const { return saved_; }

 private:
  CheckpointFolder folder_;
  bool background_;
  std::optional<std::int64_t> saved_;
  std::optional<TrainingArrays> copy_;
  std::int64_t step_ = 0;        // of the save under way
  std::future<void> under_way_;  // after what it uses: its destructor waits
};

}  // namespace lodestone
