#pragma once
// What made an output: beside a file NAME it is NAME.manifest.json; in a directory, manifest.json.
// A directory with a manifest.json of its own (a token directory) gets it under the key "run".
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lodestone::tools {

class Manifest {
 public:
  // `config` is the resolved tree.
  Manifest(const std::vector<std::string>& argv, nlohmann::ordered_json config);
  // Records size and hash (XXH3, 128 bit) of a file, or of every file below a directory, now.
  void add_input(const std::filesystem::path& path);
  // A fact worth keeping ("matrix": "raw/X").
  void add(const std::string& key, nlohmann::ordered_json value);
  // Beside or inside `output`, which exists. `exit` is the command's code.
  void write(const std::filesystem::path& output, int exit) const;

 private:
  nlohmann::ordered_json facts_;
  std::chrono::system_clock::time_point start_;
  std::chrono::steady_clock::time_point clock_;
};

}  // namespace lodestone::tools
