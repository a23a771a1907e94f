#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <ranges>
#include <string_view>
#include <system_error>

#include "engine/core/build_config.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"
#include "engine/io/tensor_archive.h"

namespace lodestone {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kMasters = "masters.safetensors";
constexpr const char* kFirstMoments = "first_moments.safetensors";
constexpr const char* kSecondMoments = "second_moments.safetensors";
constexpr const char* kConfig = "config.toml";
constexpr const char* kState = "state.json";
constexpr const char* kHashes = "hashes.json";
constexpr std::array kHashedFiles{kMasters, kFirstMoments, kSecondMoments, kConfig, kState};
constexpr std::string_view kStepPrefix = "step-";
constexpr std::uint64_t kOtherBytes = 1 << 20;  // more than a checkpoint holds beside its arrays

// Each parameter's part of a buffer that is laid out as the store's masters.
std::vector<NamedTensor> by_name(const ParameterStore& store, const Tensor& flat) {
  std::vector<NamedTensor> parts;
  for (const Parameter& p : store.parameters())
    parts.push_back({p.name, flat.slice(p.offset, p.shape)});
  return parts;
}

void fill_by_name(const ParameterStore& store, const Tensor& flat, const fs::path& file) {
  const std::unique_ptr<TensorArchive> archive = open_safetensors(file);
  check_input(
      archive->entries().size() == store.parameters().size(),
      "{}: holds {} tensors, the model has {} parameters; is it another model's checkpoint?",
      file.string(), archive->entries().size(), store.parameters().size());
  for (const Parameter& p : store.parameters()) {
    const Tensor saved = archive->read(p.name);
    check_input(saved.shape() == p.shape && saved.dtype() == flat.dtype(),
                "{}: {} is {} {}, the model's is {} {}", file.string(), p.name,
                name_of(saved.dtype()), saved.shape().text(), name_of(flat.dtype()),
                p.shape.text());
    flat.slice(p.offset, p.shape).copy_from(saved);
  }
}

std::string state_json(const RunState& state, std::int64_t updates) {
  return Json{{"version", 1},
              {"lodestone", kVersion},
              {"step", state.step},
              {"updates", updates},
              {"loader", {{"epoch", state.loader.epoch}, {"step", state.loader.step}}},
              {"cells", state.cells},
              {"tokens", state.tokens},
              {"validation_pending", state.validation_pending},
              {"threads", state.threads},
              {"inputs", state.input_hashes}}
             .dump(2) +
         "\n";
}

Json read_json(const fs::path& file) {
  Json json = Json::parse(read_text(file), nullptr, false);
  check_input(json.is_object(), "{}: is not a JSON object; the checkpoint cannot be used",
              file.string());
  return json;
}

std::int64_t counter(const Json& json, const char* key, const fs::path& file) {
  check_input(
      json.contains(key) && json[key].is_number_integer() && json[key].get<std::int64_t>() >= 0,
      "{}: \"{}\" must be a whole number, 0 or more", file.string(), key);
  return json[key].get<std::int64_t>();
}

RunState read_state(const fs::path& file) {
  const Json json = read_json(file);
  check_input(counter(json, "version", file) == 1,
              "{}: version {} is not known to this program, which knows 1", file.string(),
              counter(json, "version", file));
  check_input(json.contains("loader") && json["loader"].is_object() && json.contains("inputs") &&
                  json["inputs"].is_object(),
              "{}: \"loader\" and \"inputs\" must be objects", file.string());
  RunState state;
  state.step = counter(json, "step", file);
  state.loader = {counter(json["loader"], "epoch", file), counter(json["loader"], "step", file)};
  state.cells = counter(json, "cells", file);
  state.tokens = counter(json, "tokens", file);
  state.validation_pending = json.value("validation_pending", Json(false)) == Json(true);
  state.threads = static_cast<int>(std::min<std::int64_t>(counter(json, "threads", file), 1 << 20));
  for (const auto& [name, hash] : json["inputs"].items()) {
    check_input(hash.is_string(), "{}: the hash of {} must be text", file.string(), name);
    state.input_hashes[name] = hash.get<std::string>();
  }
  return state;
}

// Throws when a file is missing or is not what was written.
void verify(const fs::path& checkpoint) {
  const fs::path list = checkpoint / kHashes;
  const Json hashes = read_json(list);
  for (const char* name : kHashedFiles) {
    check_input(hashes.contains(name) && hashes[name].is_string(), "{}: has no hash of {}",
                list.string(), name);
    const fs::path file = checkpoint / name;
    check_input(fs::exists(file), "{}: is missing", file.string());
    check_input(hash_file(file) == hashes[name].get<std::string>(),
                "{}: its bytes are not the ones that were written", file.string());
  }
}

bool is_good(const fs::path& checkpoint) {
  try {
    verify(checkpoint);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void write_whole(const fs::path& file, const std::string& text) {
  OutputFile out(file);
  out.write(text);
  out.close();
}

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  name.remove_prefix(kStepPrefix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

}  // namespace

fs::path CheckpointFolder::path_of(std::int64_t step) const {
  return folder_ / fmt::format("{}{:08d}", kStepPrefix, step);
}

std::vector<std::int64_t> CheckpointFolder::steps() const {
  std::vector<std::int64_t> steps;
  if (!fs::is_directory(folder_)) return steps;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    if (const auto step = step_of(entry.path().filename().string()); step && entry.is_directory())
      steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

void CheckpointFolder::save(const TrainingArrays& arrays, const RunState& state,
                            const TrainConfig& config) const {
  make_folder(folder_);
  check_room(folder_, arrays.bytes() + kOtherBytes);
  publish_directory(path_of(state.step), true, [&](const fs::path& staged) {
    write_safetensors(staged / kMasters, by_name(*arrays.layout, arrays.masters));
    write_safetensors(staged / kFirstMoments, by_name(*arrays.layout, arrays.first_moments));
    write_safetensors(staged / kSecondMoments, by_name(*arrays.layout, arrays.second_moments));
    write_whole(staged / kConfig, to_toml(config));
    write_whole(staged / kState, state_json(state, arrays.updates));
    Json hashes = Json::object();
    for (const char* name : kHashedFiles) hashes[name] = hash_file(staged / name);
    write_whole(staged / kHashes, hashes.dump(2) + "\n");
  });
  write_text(folder_ / "latest", path_of(state.step).filename().string() + "\n");
  remove_old(state.step);
}

// A newer one than `newest_step` can only be damaged: this run was continued from before it.
void CheckpointFolder::remove_old(std::int64_t newest_step) const {
  std::int64_t good = 0;
  for (const std::int64_t step : steps() | std::views::reverse) {
    if (step > newest_step) continue;
    const fs::path path = path_of(step);
    if (good < keep_last_) {
      good += is_good(path) ? 1 : 0;
      continue;
    }
    const fs::path aside = staging_path(path);  // so that a kill leaves no half under its name
    std::error_code error;
    fs::rename(path, aside, error);
    if (!error) fs::remove_all(aside, error);
    if (error) log::warning("{}: cannot be removed: {}", path.string(), error.message());
  }
}

std::optional<Checkpoint> CheckpointFolder::newest() const {
  const std::vector<std::int64_t> saved = steps();
  for (auto step = saved.rbegin(); step != saved.rend(); ++step) {
    const fs::path path = path_of(*step);
    try {
      verify(path);
      return Checkpoint{path, read_state(path / kState), read_train_config(path / kConfig)};
    } catch (const Error& error) {
      log::warning("checkpoint {} is passed over: {}", path.filename().string(), error.what());
    }
  }
  check_input(saved.empty(),
              "{}: none of the {} checkpoints can be used (see the warnings); begin a new run",
              folder_.string(), saved.size());
  return std::nullopt;
}

void CheckpointFolder::remove_unfinished() const {
  if (fs::is_directory(folder_)) remove_staged(folder_);
}

TrainingArrays arrays_of(const ParameterStore& store, const AdamW& optimizer) {
  return {&store, store.masters(), optimizer.first_moments(), optimizer.second_moments(),
          optimizer.updates()};
}

void restore(const Checkpoint& checkpoint, ParameterStore& store, AdamW& optimizer) {
  fill_by_name(store, store.masters(), checkpoint.path / kMasters);
  fill_by_name(store, optimizer.first_moments(), checkpoint.path / kFirstMoments);
  fill_by_name(store, optimizer.second_moments(), checkpoint.path / kSecondMoments);
  const fs::path state = checkpoint.path / kState;
  optimizer.set_updates(counter(read_json(state), "updates", state));
  store.publish_masters();
}

}  // namespace lodestone
