#include "train/config.h"

#include <fmt/ranges.h>

#include <variant>

#include "engine/config/config.h"
#include "engine/core/check.h"

namespace lodestone {

DType TrainConfig::compute_type() const {
  check(dtype == "f32" || dtype == "bf16", "dtype must be f32 or bf16, is \"{}\"", dtype);
  return dtype == "f32" ? DType::kF32 : DType::kBf16;
}

void validate(const TrainConfig& config) {
  std::vector<std::string> faults;
  const auto expect = [&](bool holds, std::string fault) {
    if (!holds) faults.push_back(std::move(fault));
  };
  const auto at_least = [&](std::int64_t value, std::int64_t least, const char* name) {
    expect(value >= least, fmt::format("{} must be at least {}, is {}", name, least, value));
  };
  config.compute_type();
  at_least(config.steps, 0, "steps");
  at_least(config.epochs, config.steps == 0 ? 1 : 0, "epochs");
  expect(config.held_out >= 0 && config.held_out < 1,
         fmt::format("held_out must be in [0, 1), is {}", config.held_out));
  at_least(config.validate_every, 0, "validate_every");
  at_least(config.validation_cells, 1, "validation_cells");
  at_least(config.save_every, 0, "save_every");
  at_least(config.keep_last, 2, "keep_last");
  at_least(config.report_every, 1, "report_every");
  check(faults.empty(), "{}", fmt::join(faults, "; "));
}

TrainConfig read_train_config(const std::filesystem::path& file) {
  TrainConfig config;
  config::apply_toml_file(config::fields_of(config), file);
  config.loader.seed = config.seed;
  return config;
}

std::string to_toml(TrainConfig config) {
  return config::to_toml(config::fields_of(config));
}

TrainConfig overlaid(TrainConfig base, TrainConfig given) {
  TrainConfig defaults;
  const auto target = config::fields_of(base), source = config::fields_of(given),
             usual = config::fields_of(defaults);
  for (std::size_t i = 0; i < source.size(); ++i)
    if (config::value_text(source[i]) != config::value_text(usual[i]))
      std::visit([&](auto* from) { *std::get<decltype(from)>(target[i].target) = *from; },
                 source[i].target);
  return base;
}

std::vector<std::string> forbidden_changes(TrainConfig before, TrainConfig now) {
  for (TrainConfig* config : {&before, &now}) {
    config->data = config->priors = config->vocab = config->init = "";
    config->loader.prefetch = 0;
    config->validate_every = config->validation_cells = 0;
    config->save_every = config->keep_last = config->report_every = 0;
    config->background_save = config->tensorboard = false;
  }
  return config::differences(config::fields_of(before), config::fields_of(now));
}

}  // namespace lodestone
