#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "engine/io/append_file.h"
#include "train/event_file.h"
#include "train/metrics.h"

namespace lodestone {

// What metrics.jsonl says, for TensorBoard: train/loss, train/id_loss, train/value_loss,
// train/learning_rate, train/gradient_norm, speed/tokens_per_s, speed/cells_per_s,
// speed/data_wait_ms, and validation/loss, /id_loss, /value_loss.
class TensorBoardLog {
 public:
  // Begins a new event file in `folder`, which is made if missing. What earlier files say of steps
  // after `step` becomes void; records of theirs that were cut short are removed, with a line.
  TensorBoardLog(const std::filesystem::path& folder, std::int64_t step);
  void write(const StepReport& report);
  void write(const ValidationReport& report, std::int64_t step);
  // As AppendFile's.
  void flush() { file_->flush(); }

 private:
  void append(std::int64_t step, std::span<const Scalar> scalars);
  std::unique_ptr<AppendFile> file_;
};

}  // namespace lodestone
