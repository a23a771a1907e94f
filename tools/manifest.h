#pragma once
// What made an output: beside a file NAME it is NAME.manifest.json; in a directory, manifest.json.
// A directory with a manifest.json of its own (a token directory) gets it under the key "run".
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lodestone::tools {

class Manifest {
 public:
  // `config` is the resolved tree.
  Manifest(std::vector<std::string> argv, nlohmann::ordered_json config);
  // Records size and hash (XXH3, 128 bit) of a file, or of every file below a directory, now.
  void add_input(const std::filesystem::path& path);
  // A fact worth keeping ("matrix": "raw/X").
  void add(const std::string& key, nlohmann::ordered_json value);
  // Beside or inside `output`, which exists. `exit` is empty while the run goes on: a command that
  // writes bit by bit begins its manifest so, and the frame finishes it even when the run fails.
  void write(const std::filesystem::path& output, std::optional<int> exit);
  bool begun_at(const std::filesystem::path& output) const { return begun_.contains(output); }
  nlohmann::ordered_json json(std::optional<int> exit) const;

 private:
  nlohmann::ordered_json facts_;
  std::set<std::filesystem::path> begun_;
  std::chrono::system_clock::time_point start_;
  std::chrono::steady_clock::time_point clock_;
};

}  // namespace lodestone::tools
