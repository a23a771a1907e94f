#pragma once
// Where a long job builds its output, so that the same command continues after it was cut short.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace lodestone {

// The folder TARGET.partial, until publish() makes its output/ the target:
//   output/     what will be published, unfinished
//   job.json    what the output depends on, and how far it is
//   lock        held by the process that works here
// It never looks like an output: the target is absent, or as it was, until publish().
class WorkFolder {
 public:
  // `job` is everything that the output depends on. Work on the same job is taken up; work on
  // another one is removed, and a log line says so. Throws kInvalidArgument when another process
  // works here, or when the target exists and is not to be replaced.
  WorkFolder(const std::filesystem::path& target, bool replace, nlohmann::json job);
  // Unless published: keeps the folder if anything was saved, and says so; else removes it.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  std::filesystem::path output() const { return path_ / "output"; }
  const std::filesystem::path& path() const { return path_; }  // for files that are not output

  // What was saved last; an empty object at the start.
  nlohmann::json state() const;
  // Durable when it returns. What it speaks of must be on the disk before.
  void save(nlohmann::json state);
  // Forgets what was saved: it turned out not to be usable.
  void start_anew(const std::string& why);

  // Forgets it for good: the same job would fail again.
  void discard() { set_state(nlohmann::json::object()); }

  // Flushes output(), makes it the target, and removes the rest.
  void publish();

 private:
  // Held by one process at a time.
  class Lock {
   public:
    Lock(const std::filesystem::path& folder, const std::filesystem::path& target);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int descriptor_ = -1;
  };
  void take_up();
  void clear();
  void set_state(nlohmann::json state);

  std::filesystem::path target_, path_;
  bool replace_;
  nlohmann::json job_;
  mutable std::mutex mutex_;  // of the state: a thread may save while the job reads it
  nlohmann::json state_ = nlohmann::json::object();
  Lock lock_;
  bool published_ = false;
};

// Saves a job's state now and then, by a thread, while the job goes on.
class BackgroundSaves {
 public:
  // `sync` puts on the disk what the state speaks of.
  BackgroundSaves(WorkFolder& work, std::int64_t interval, std::function<void()> sync)
      : work_(work), interval_(interval), sync_(std::move(sync)) {}
  // `done` counts up. Saves every `interval`, unless the disk is still busy with the last save.
  void offer(std::int64_t done, nlohmann::json state);
  // Waits, and rethrows what a save has thrown.
  void finish();

 private:
  WorkFolder& work_;
  std::int64_t interval_, saved_ = 0;
  std::function<void()> sync_;
  std::future<void> running_;  // its destructor waits
};

// What says that an input is still the same: its path, size and time of change.
nlohmann::json identity_of_file(const std::filesystem::path& path);

}  // namespace lodestone
