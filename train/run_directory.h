#pragma once
#include <filesystem>

namespace lodestone {

// The directory of a run (design/cli.md), held by one process at a time.
class RunDirectory {
 public:
  // A new run makes the directory; one that holds a run already is refused. `resume`: it must hold
  // one. Throws kInvalidArgument, also while another process works there. A run that ends before
  // its config() is written leaves nothing behind.
  RunDirectory(std::filesystem::path path, bool resume);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path model() const { return path_ / "model"; }

 private:
  std::filesystem::path lock_file() const { return path_ / ".lock"; }

  std::filesystem::path path_;
  bool made_ = false;  // the directory was not there before
  int lock_ = -1;
};

}  // namespace lodestone
