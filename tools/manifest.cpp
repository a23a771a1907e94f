#include "tools/manifest.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <utility>

#include "engine/core/build_config.h"
#include "engine/core/check.h"
#include "engine/core/host_name.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"
#include "tools/build_info.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// The directory's own manifest without what an earlier run left there.
ordered_json own_manifest(const fs::path& file) {
  if (!fs::exists(file)) return nullptr;
  ordered_json own = ordered_json::parse(read_text(file), nullptr, false);
  check_input(own.is_object(), "{}: expected a JSON object; remove the file", file.string());
  return own;
}

}  // namespace

Manifest::Manifest(const std::vector<std::string>& argv, ordered_json config)
    : start_(std::chrono::system_clock::now()), clock_(std::chrono::steady_clock::now()) {
  facts_["made_by"] = "lodestone";
  facts_["version"] = kVersion;
  facts_["build"] = {
      {"type", kBuildType}, {"compiler", kCompiler}, {"cpu", kTargetCpu}, {"cuda", kCudaBuilt}};
  for (const LibraryVersion& library : library_versions())
    facts_["libraries"][library.name] = library.version;
  facts_["argv"] = argv;
  facts_["directory"] = fs::current_path().string();
  facts_["host"] = host_name();
  facts_["threads"] = thread_count();
  facts_["config"] = std::move(config);
  facts_["inputs"] = ordered_json::array();
}

void Manifest::add_input(const fs::path& path) {
  for (const fs::path& file : files_of(path))
    facts_["inputs"].push_back(
        {{"path", file.string()}, {"size", fs::file_size(file)}, {"xxh3", hash_file(file)}});
}

void Manifest::add(const std::string& key, ordered_json value) {
  facts_[key] = std::move(value);
}

void Manifest::write(const fs::path& output, int exit) const {
  ordered_json manifest = facts_;
  manifest["start"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                                  fmt::gmtime(std::chrono::system_clock::to_time_t(start_)));
  manifest["wall_seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - clock_).count();
  manifest["exit"] = exit;
  const bool directory = fs::is_directory(output);
  const fs::path file =
      directory ? output / "manifest.json" : fs::path(output.string() + ".manifest.json");
  if (ordered_json own = directory ? own_manifest(file) : nullptr;
      own.is_object() && own.value("made_by", "") != "lodestone") {
    own["run"] = std::move(manifest);
    manifest = std::move(own);
  }
  write_text(file, manifest.dump(2) + "\n");
}

}  // namespace lodestone::tools
