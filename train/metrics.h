#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/io/append_file.h"

namespace lodestone {

// What one training step did. Losses are means over the chosen positions of the global batch, 0
// when nothing was chosen.
struct StepReport {
  std::int64_t step = 0;                           // steps done, this one included
  std::int64_t batch_cells = 0, batch_tokens = 0;  // of its global batch
  double loss = 0, id_loss = 0, value_loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  double model_flops = 0;    // of forward and backward, by ModelConfig::training_flops
  double seconds = 0;        // wall time, waiting for data included
  double wait_seconds = 0;   // waiting for data
};

// Losses on held-out cells, means over the chosen positions.
struct ValidationReport {
  double loss = 0, id_loss = 0, value_loss = 0;
  std::int64_t cells = 0, chosen = 0;
};

// How far a run is.
struct Progress {
  std::int64_t total_steps = 0;
  double epoch = 0;                    // passes done over the training cells
  std::int64_t cells = 0, tokens = 0;  // since the run began
  double seconds_left = 0;
};

// metrics.jsonl: one object a step, written line by line (AppendFile), with the keys step, epoch,
// cells, tokens, loss, id_loss, value_loss, learning_rate, gradient_norm, tokens_per_s,
// cells_per_s, tflops, mfu, data_wait_ms, comm_ms, memory_bytes; and one {"step", "epoch",
// "validation": {"loss", "id_loss", "value_loss", "cells", "chosen"}} a validation. What is not
// known or not finite is null.
class MetricsLog {
 public:
  // Continues after `step`: lines of later steps, and what follows a torn line, are cut off, with a
  // line that says so. 0 begins anew. `peak_flops`: what mfu is a share of, in FLOP/s; 0 = not
  // known.
  MetricsLog(const std::filesystem::path& file, std::int64_t step, double peak_flops);
  void write(const StepReport& report, const Progress& progress);
  void write(const ValidationReport& report, const Progress& progress, std::int64_t step);
  // As AppendFile's.
  void flush() { file_.flush(); }

 private:
  AppendFile file_;
  double peak_flops_;
};

// The console line of the steps since the last one: losses and norm of the newest, rates and
// waiting over all.
class ConsoleReport {
 public:
  explicit ConsoleReport(double peak_flops) : peak_flops_(peak_flops) {}
  void add(const StepReport& report);
  // step 40/1000 (4 %) · loss 4.1 (id 6.4, value 3.5) · norm 1.2 · rate 5.0e-05 · 12 k tokens/s ·
  // ...
  std::string line(const Progress& progress);

 private:
  double peak_flops_;
  StepReport newest_;
  double cells_ = 0, tokens_ = 0, flops_ = 0, seconds_ = 0, wait_seconds_ = 0;
};

// "45 s", "3 min 05 s", "2 h 10 min", "3 d 04 h".
std::string duration_text(double seconds);

}  // namespace lodestone
