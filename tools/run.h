#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/core/stream.h"
#include "tools/manifest.h"
#include "tools/progress.h"

namespace lodestone::tools {

// Settings that every command has.
struct RunSettings {
  std::string device = "auto";
  int threads = 0;
  std::uint64_t seed = 42;
  bool deterministic = true;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("device", device, "auto (cuda where there is one), cpu, cuda or cuda:N");
    visit("threads", threads, "CPU threads; 0 = all cores");
    visit("seed", seed, "of every random number");
    visit("deterministic", deterministic, "the same bits on every run; the CPU always gives them");
  }
  // Names every fault at once.
  void validate() const;
  // Of valid settings.
  Device chosen_device() const;
};

// How results are given.
struct OutputOptions {
  bool json = false, quiet = false, dry_run = false;
};

// What a command gets when it runs.
class Run {
 public:
  Run(RunSettings settings, OutputOptions options, Manifest manifest);

  // Where to compute, made ready: choices of algorithms on a GPU are kept in the user's cache
  // folder, for a later run would otherwise choose, and round, anew.
  Device device() const;
  std::uint64_t seed() const { return settings_.seed; }
  bool deterministic() const { return settings_.deterministic; }
  // Only seen by commands that plan their own dry run (CommandText::plans): write nothing.
  bool dry_run() const { return options_.dry_run; }
  bool json() const { return options_.json; }
  bool quiet() const { return options_.quiet; }
  // For a long job; see progress.h.
  Progress progress(std::string what, std::string unit) const;
  // The command's result on stdout: the object with --json, else the text. Once per command.
  void result(const nlohmann::ordered_json& json, std::string_view text) const;
  // Facts to keep beside the outputs. The frame adds inputs and writes it when the command ends.
  Manifest& manifest() { return manifest_; }

 private:
  RunSettings settings_;
  OutputOptions options_;
  Manifest manifest_;
};

}  // namespace lodestone::tools
