#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

namespace lodestone {

// A lock file, held until the process ends, however it ends: it cannot be left behind.
class RunLock {
 public:
  // Throws kInvalidArgument, naming the holder, while another process has it.
  explicit RunLock(std::filesystem::path file);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  bool take();  // false: its file was removed meanwhile
  std::filesystem::path file_;
  int descriptor_ = -1;
};

// The directory of a run (design/cli.md), held by one process at a time.
class RunDirectory {
 public:
  enum class Opening : std::uint8_t { kNew, kResume, kResumeOrNew };
  // kNew refuses a directory that holds a run, kResume one that holds none. Throws
  // kInvalidArgument, also while another process works there. What killed processes left is
  // removed. A run that ends before its config() is written leaves nothing behind.
  RunDirectory(std::filesystem::path path, Opening opening);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  bool holds_run() const { return std::filesystem::exists(config()); }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path model() const { return path_ / "model"; }

 private:
  void check_usable(Opening opening) const;
  std::filesystem::path lock_file() const { return path_ / ".lock"; }

  std::filesystem::path path_;
  bool made_;  // the directory was not there before
  std::optional<RunLock> lock_;
};

}  // namespace lodestone
