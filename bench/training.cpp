// Training steps by phase, the optimizer, and embeddings.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "bench/cells.h"
#include "bench/step_phases.h"
#include "bench/suite.h"
#include "engine/memory/allocator.h"
#include "model/model_directory.h"
#include "train/trainer.h"

namespace lodestone::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kTotalSteps = 1'000'000;     // of the schedule
constexpr std::int64_t kTokensOnDevice = 96 << 10;  // at once: the batches of the suite as a whole

std::unique_ptr<Model> made_model(const Suite& suite, DType dtype) {
  if (!suite.model.empty()) return load_model(suite.model, dtype, {.device = suite.device});
  auto model = std::make_unique<Model>(suite.shape.model, dtype, suite.seed, suite.device);
  const ModelConfig& config = model->network.config();
  for (const std::string& name : config.priors())
    model->network.set_prior(
        name, Tensor::zeros({config.vocabulary, config.prior_width}, DType::kF32, Device::cpu()));
  return model;
}

TrainConfig settings(const Suite& suite, const ModelConfig& model, DType dtype) {
  TrainConfig config;
  config.data = "bench";
  config.dtype = name_of(dtype);
  config.model = model;
  config.seed = config.loader.seed = suite.seed;
  config.loader.max_length = model.max_positions;
  if (!suite.device.is_cpu()) config.loader.micro_batch_tokens = kTokensOnDevice;
  return config;
}

// One model in one dtype, made when the first row wants it.
class TrainingBench {
 public:
  TrainingBench(const Suite& suite, DType dtype)
      : suite_(suite),
        dtype_(dtype),
        memory_(allocator(suite.device)),
        scope_(suite.device, memory_),
        stopwatch_(suite.device, suite.beyond_caches) {}

  // A training step on every cell of `data` as one global batch, and its phases.
  void step(const std::string& batch_name, const TokenDirectory& data);
  // The states of every cell of `data`, unmasked, as `lodestone embed` computes them.
  void embed(const std::string& batch_name, const TokenDirectory& data);
  // The flat passes over all parameters.
  void optimizer();

 private:
  std::string name(const std::string& what) const {
    return fmt::format("{}/{}", what, name_of(dtype_));
  }
  void make() {
    if (trainer_) return;
    model_ = made_model(suite_, dtype_);
    config_ = settings(suite_, model_->network.config(), dtype_);
    trainer_.emplace(*model_, config_, kTotalSteps);
  }
  // The step once more, the device busy until the host has launched it: what is missing in its
  // share of the step is time in which the device waited for the host.
  void step_launched_ahead(const std::string& prefix, const GlobalBatch& batch,
                           double step_seconds);
  void report_flat(const std::string& what, double bytes_per_parameter,
                   const std::function<void()>& pass);

  const Suite& suite_;
  DType dtype_;
  CountingAllocator memory_;
  AllocatorScope scope_;
  Stopwatch stopwatch_;
  std::unique_ptr<Model> model_;
  TrainConfig config_;
  std::optional<Trainer> trainer_;
};

std::int64_t chosen_in(const Batch& batch, std::int64_t begin, std::int64_t end) {
  if (batch.chosen() == 0) return 0;
  const auto rows = batch.masked_rows.host<std::int32_t>();
  return std::count_if(rows.begin(), rows.end(),
                       [&](std::int32_t row) { return begin <= row && row < end; });
}

StepExtents extents_of(const GlobalBatch& batch, const GeneCompass& network) {
  StepExtents extents;
  for (const Batch& micro : batch.micro_batches) {
    const auto offsets = micro.offsets.host<std::int64_t>();
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b)
      extents.cells.push_back({.genes = offsets[b + 1] - offsets[b],
                               .chosen = chosen_in(micro, offsets[b], offsets[b + 1])});
  }
  const TokenPairs pairs(batch.micro_batches, network.homologous_index(),
                         network.config().vocabulary);
  extents.table_rows = pairs.ids().numel();
  return extents;
}

// An embedding computes every row of the last layer, and no heads.
double embedding_flops(const ModelConfig& model, StepExtents extents) {
  for (CellSize& cell : extents.cells) cell.chosen = cell.genes + (model.use_cls_token ? 1 : 0);
  constexpr std::array<std::pair<const char*, const char*>, 4> kProducts{
      {{"token_table", "linear"},
       {"embedding", "linear"},
       {"encoder", "linear"},
       {"encoder", "attention"}}};
  double flops = 0;
  for (const auto& [part, work] : kProducts)
    flops += product_flops(part, work, Pass::kForward, model, extents);
  return flops;
}

void TrainingBench::step(const std::string& batch_name, const TokenDirectory& data) {
  const std::string prefix = "step/" + batch_name;
  if (!suite_.wants(name(prefix))) return;
  make();
  memory_.restart_peak();
  GlobalBatch batch;
  StepReport report;
  std::vector<double> data_seconds;
  std::vector<std::vector<Profile::Entry>> profiles;
  const Timing timing = measure(name(prefix), suite_.effort, [&] {
    data_seconds.push_back(seconds_of([&] { batch = batch_of(data, config_.loader); }));
    const Profile profile(suite_.device);
    const double seconds = stopwatch_.with_gaps([&] { report = trainer_->step(batch); });
    profiles.push_back(profile.entries());
    return seconds;
  });
  profiles.erase(profiles.begin());  // the warm-up
  suite_.report({.name = name(prefix),
                 .timing = timing,
                 .work = {.flops = report.model_flops,
                          .cells = static_cast<double>(batch.cells),
                          .tokens = static_cast<double>(batch.tokens)},
                 .roof = multiplies(dtype_),
                 .device_bytes = static_cast<double>(memory_.stats().peak_bytes)});
  if (!suite_.device.is_cpu()) step_launched_ahead(prefix, batch, timing.median);
  const auto [fastest, slowest] = std::minmax_element(data_seconds.begin(), data_seconds.end());
  suite_.report({.name = name(prefix + "/data"),
                 .timing = {median_of(data_seconds), *fastest, *slowest, timing.repetitions}});
  const ModelConfig& config = model_->network.config();
  for (const Row& row :
       phase_rows(profiles, config, extents_of(batch, model_->network), prefix, dtype_))
    suite_.report(row);
}

void TrainingBench::step_launched_ahead(const std::string& prefix, const GlobalBatch& batch,
                                        double step_seconds) {
  const std::string row_name = name(prefix + "/launched_ahead");
  const Timing timing = measure(row_name, suite_.effort, [&] {
    return stopwatch_.without_gaps([&] { (void)trainer_->step(batch); });
  });
  suite_.report(
      {.name = row_name, .timing = timing, .share_of_step = timing.median / step_seconds});
}

void TrainingBench::embed(const std::string& batch_name, const TokenDirectory& data) {
  const std::string row_name = name("embed/" + batch_name);
  if (!suite_.wants(row_name)) return;
  make();
  LoaderConfig unmasked = config_.loader;
  unmasked.mask_probability = 0;
  const GlobalBatch batch = batch_of(data, unmasked);
  const Timing timing = measure(row_name, suite_.effort, [&] {
    const NoGrad no_grad;
    return stopwatch_.with_gaps([&] {
      for (const Batch& some : batch.micro_batches) model_->network.encode(some, ForwardContext{});
    });
  });
  suite_.report({.name = row_name,
                 .timing = timing,
                 .work = {.flops = embedding_flops(model_->network.config(),
                                                   extents_of(batch, model_->network)),
                          .cells = static_cast<double>(batch.cells),
                          .tokens = static_cast<double>(batch.tokens)},
                 .roof = multiplies(dtype_)});
}

void TrainingBench::report_flat(const std::string& what, double bytes_per_parameter,
                                const std::function<void()>& pass) {
  if (!suite_.wants(name(what))) return;
  make();
  const Timing timing =
      measure(name(what), suite_.effort, [&] { return stopwatch_.without_gaps(pass); });
  const auto parameters = static_cast<double>(model_->store.masters().numel());
  suite_.report({.name = name(what),
                 .timing = timing,
                 .work = {.bytes = bytes_per_parameter * parameters},
                 .roof = Roof::kCopy});
}

void TrainingBench::optimizer() {
  // Read and written: gradient (left zero), master, two moments; written: in bf16 the value.
  const double update_bytes = dtype_ == DType::kBf16 ? 34 : 32;
  report_flat("zero_gradients", 4, [&] { model_->store.zero_gradients(); });
  report_flat("gradient_norm", 4, [&] { trainer_->optimizer().measure_gradients(); });
  report_flat("adamw", update_bytes, [&] { trainer_->optimizer().update(1e-6); });
}

}  // namespace

void measure_training(const Suite& suite) {
  const TemporaryFolder folder;
  std::vector<std::pair<std::string, fs::path>> batches;
  if (!suite.data.empty()) {
    batches.emplace_back("data", suite.data);
  } else {
    batches = {{"full", folder.path() / "full"}, {"mix", folder.path() / "mix"}};
    write_cells(batches[0].second, suite.shape.full, suite.shape.model.vocabulary, suite.seed);
    write_cells(batches[1].second, suite.shape.mix, suite.shape.model.vocabulary, suite.seed);
  }
  for (const DType dtype : suite.dtypes) {
    TrainingBench bench(suite, dtype);
    for (const auto& [name, path] : batches) {
      const TokenDirectory data(path);
      bench.step(name, data);
      bench.embed(name, data);
    }
    bench.optimizer();
  }
}

}  // namespace lodestone::bench
