#include "train/pretraining.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"
#include "train/checkpoint_writer.h"
#include "train/peak_rate.h"
#include "train/run_directory.h"
#include "train/run_inputs.h"
#include "train/tensorboard.h"
#include "train/trainer.h"

namespace lodestone {

namespace {

using Clock = std::chrono::steady_clock;

RunDirectory::Opening opening(const TrainConfig& settings, bool resume) {
  using enum RunDirectory::Opening;
  if (!resume) return kNew;
  return settings.data.empty() ? kResume : kResumeOrNew;
}

TrainConfig settings_of(const RunDirectory& run, const TrainConfig& given) {
  TrainConfig config = run.holds_run() ? overlaid(read_train_config(run.config()), given) : given;
  config.loader.seed = config.seed;
  config.device = given.device;
  validate(config);
  return config;
}

void check_continuation(const Checkpoint& checkpoint, const TrainConfig& config,
                        const RunInputs& inputs) {
  const std::vector<std::string> changes = forbidden_changes(checkpoint.config, config);
  check(changes.empty(),
        "{}: the run cannot be continued with other settings ({}); leave them out, or begin a new "
        "run",
        checkpoint.path.string(), fmt::join(changes, "; "));
  for (const auto& [name, hash] : checkpoint.state.input_hashes)
    check(inputs.hashes.contains(name) && inputs.hashes.at(name) == hash,
          "{}: `{}` has other contents than when the run began; give the same ones, or begin a new "
          "run",
          checkpoint.path.string(), name);
  if (checkpoint.state.threads != thread_count())
    log::warning(
        "the run was trained on {} threads and goes on with {}: results stay right, but are not "
        "the "
        "same to the bit",
        checkpoint.state.threads, thread_count());
}

// The newest good checkpoint, if the run may go on from it.
std::optional<Checkpoint> starting_point(const CheckpointFolder& checkpoints,
                                         const TrainConfig& config, const RunInputs& inputs) {
  checkpoints.remove_unfinished();
  std::optional<Checkpoint> checkpoint = checkpoints.newest();
  if (checkpoint)
    check_continuation(*checkpoint, config, inputs);
  else
    log::info("the run has no checkpoint yet and begins anew");
  return checkpoint;
}

Split split_of(const TokenDirectory& data, const TrainConfig& config) {
  Split split = split_cells(data.cells(), config.held_out, config.seed);
  check(!split.training.empty(), "{}: no cell is left to train on; lower held_out, which is {}",
        data.path().string(), config.held_out);
  if (std::ssize(split.held_out) > config.validation_cells)
    split.held_out.resize(static_cast<std::size_t>(config.validation_cells));
  return split;
}

// The step of a checkpoint that need not be written again.
std::optional<std::int64_t> saved_step(const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint || checkpoint->state.validation_pending) return std::nullopt;
  return checkpoint->state.step;
}

// A full disk does not end a run whose older checkpoints are still there.
template <class Body>
void unless_full(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kOutOfMemory) throw;
    log::warning(
        "a checkpoint could not be written: {}; the run goes on, and tries again when the next one "
        "is due",
        error.what());
  }
}

// What a run says of its steps, in every form.
class RunLogs {
 public:
  // Goes on after `step`.
  RunLogs(const RunDirectory& run, std::int64_t step, double peak_flops, bool tensorboard)
      : metrics_(run.metrics(), step, peak_flops) {
    if (tensorboard) tensorboard_.emplace(run.tensorboard(), step);
  }
  void write(const StepReport& report, const Progress& progress) {
    metrics_.write(report, progress);
    if (tensorboard_) tensorboard_->write(report);
  }
  void write(const ValidationReport& report, const Progress& progress, std::int64_t step) {
    metrics_.write(report, progress, step);
    if (tensorboard_) tensorboard_->write(report, step);
  }
  void flush() {
    metrics_.flush();
    if (tensorboard_) tensorboard_->flush();
  }

 private:
  MetricsLog metrics_;
  std::optional<TensorBoardLog> tensorboard_;
};

using StopRequested = std::function<bool()>;

// One run between its opening and its end.
class Pretraining {
 public:
  Pretraining(const TrainConfig& settings, const std::filesystem::path& out, bool resume);
  PretrainingResult run(const StopRequested& stop_requested);

 private:
  void open();
  void step();
  void validate(const StopRequested& stop_requested);
  void save();
  bool due(std::int64_t every) const {
    return every > 0 && (state_.step % every == 0 || state_.step == total_steps_);
  }
  Progress progress() const;

  RunDirectory directory_;
  TrainConfig config_;
  RunInputs inputs_;
  CheckpointFolder checkpoints_;
  std::optional<Checkpoint> start_;
  RunState state_;
  Split split_;
  Loader loader_;
  std::int64_t total_steps_;
  Trainer trainer_;
  CheckpointWriter writer_;
  PeakRate peak_;
  std::unique_ptr<RunLogs> logs_;  // from open() on
  ConsoleReport console_;
  Clock::time_point began_ = Clock::now();
  PretrainingResult result_;
};

Pretraining::Pretraining(const TrainConfig& settings, const std::filesystem::path& out, bool resume)
    : directory_(out, opening(settings, resume)),
      config_(settings_of(directory_, settings)),
      inputs_(open_inputs(config_)),
      checkpoints_(directory_.checkpoints(), config_.keep_last),
      start_(directory_.holds_run() ? starting_point(checkpoints_, config_, inputs_)
                                    : std::nullopt),
      state_(start_ ? start_->state : RunState{}),
      split_(split_of(inputs_.data, config_)),
      loader_(inputs_.data, split_.training, config_.loader, state_.loader),
      total_steps_(config_.total_steps(loader_.steps_per_epoch())),
      trainer_(*inputs_.model, config_, total_steps_),
      writer_(checkpoints_, config_.background_save, saved_step(start_)),
      peak_(peak_rate(config_.device, config_.compute_type())),
      console_(peak_.flops) {
  state_.threads = thread_count();
  state_.input_hashes = inputs_.hashes;
  if (start_) {
    restore(*start_, inputs_.model->store, trainer_.optimizer());
    trainer_.set_steps_done(state_.step);
    log::info("continues {} after step {}", start_->path.filename().string(), state_.step);
  }
  open();
  log::info(
      "{} training and {} validation cells; {} steps of {} cells, {} in an epoch; {} parameters",
      split_.training.size(), split_.held_out.size(), total_steps_, config_.loader.batch_cells,
      loader_.steps_per_epoch(), config_.model.parameter_count());
  log::info("MFU is relative to {:.1f} GFLOP/s in {}, {}", peak_.flops / 1e9, config_.dtype,
            peak_.origin);
}

// What the run writes; nothing while something can still stand in its way.
void Pretraining::open() {
  if (state_.step < total_steps_)
    check_room(directory_.path(), arrays_of(inputs_.model->store, trainer_.optimizer()).bytes());
  write_text(directory_.config(), to_toml(config_));
  logs_ = std::make_unique<RunLogs>(directory_, state_.step, peak_.flops, config_.tensorboard);
}

Progress Pretraining::progress() const {
  const LoaderState next = loader_.state();
  const std::int64_t first = start_ ? start_->state.step : 0;
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  const std::int64_t done = std::max<std::int64_t>(1, state_.step - first);
  return {.total_steps = total_steps_,
          .epoch = static_cast<double>(next.epoch) +
                   static_cast<double>(next.step) / static_cast<double>(loader_.steps_per_epoch()),
          .cells = state_.cells,
          .tokens = state_.tokens,
          .seconds_left = seconds * static_cast<double>(total_steps_ - state_.step) /
                          static_cast<double>(done)};
}

void Pretraining::step() {
  const StepReport report = trainer_.step(loader_.next());
  state_.step = report.step;
  state_.loader = loader_.state();
  state_.cells += report.batch_cells;
  state_.tokens += report.batch_tokens;
  logs_->write(report, progress());
  console_.add(report);
  if (due(config_.report_every)) log::info("{}", console_.line(progress()));
  result_.last = report;
}

void Pretraining::validate(const StopRequested& stop_requested) {
  const auto report = trainer_.validate(inputs_.data, split_.held_out, stop_requested);
  state_.validation_pending = !report;
  if (!report) return;
  logs_->write(*report, progress(), state_.step);
  log::info("validation after step {}: loss {:.4f} (id {:.4f}, value {:.4f}) on {} cells",
            state_.step, report->loss, report->id_loss, report->value_loss, report->cells);
  result_.validation = report;
}

// What was logged goes to the disk first: steps before a checkpoint are never done again.
void Pretraining::save() {
  logs_->flush();
  writer_.start(arrays_of(inputs_.model->store, trainer_.optimizer()), state_, config_);
}

PretrainingResult Pretraining::run(const StopRequested& stop_requested) {
  if (state_.validation_pending) validate(stop_requested);
  while (state_.step < total_steps_ && !stop_requested()) {
    step();
    if (!split_.held_out.empty() && due(config_.validate_every)) validate(stop_requested);
    unless_full([&] { writer_.check(); });
    if (!due(config_.save_every) || state_.step == total_steps_) continue;
    unless_full([&] { writer_.wait(); });
    unless_full([&] { save(); });
  }
  unless_full([&] { writer_.wait(); });
  if (writer_.saved() != state_.step) {
    save();
    writer_.wait();
  }
  result_.steps = state_.step;
  result_.total_steps = total_steps_;
  result_.stopped = state_.step < total_steps_ || state_.validation_pending;
  if (result_.stopped) return result_;
  save_model(*inputs_.model, directory_.model(), inputs_.vocabulary_json, true);
  result_.model = directory_.model();
  return result_;
}

}  // namespace

PretrainingResult pretrain(const TrainConfig& settings, const std::filesystem::path& out,
                           bool resume, const std::function<bool()>& stop_requested) {
  return Pretraining(settings, out, resume).run(stop_requested);
}

}  // namespace lodestone
