#include "data/work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "engine/core/build_config.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kJobName = "job.json";
constexpr const char* kLockName = "lock";

// "out/" names the same as "out".
fs::path partial_path(const fs::path& target) {
  fs::path named = target.has_filename() ? target : target.parent_path();
  return named += ".partial";
}

// Before anything is made.
fs::path checked_target(const fs::path& target, bool replace) {
  check_publishable(target, replace);
  return target;
}

}  // namespace

WorkFolder::Lock::Lock(const fs::path& folder, const fs::path& target) {
  std::error_code failure;
  fs::create_directory(folder, failure);
  const fs::path file = folder / kLockName;
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    fail(errno == ENOSPC || errno == EDQUOT ? ErrorKind::kOutOfMemory : ErrorKind::kIo,
         "{}: cannot be made: {}", file.string(), std::generic_category().message(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  fail(ErrorKind::kInvalidArgument,
       "{}: another process is writing {}; wait for it, or choose another output", folder.string(),
       target.string());
}

WorkFolder::Lock::~Lock() {
  ::close(descriptor_);
}

WorkFolder::WorkFolder(const fs::path& target, bool replace, json job)
    : target_(checked_target(target, replace)),
      path_(partial_path(target)),
      replace_(replace),
      job_(std::move(job)),
      lock_(path_, target_) {
  job_["lodestone"] = kVersion;  // another version may write other bytes
  take_up();
}

void WorkFolder::take_up() {
  const fs::path file = path_ / kJobName;
  if (fs::exists(file) && fs::is_directory(output())) {
    const json kept = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
    if (kept.is_object() && kept.contains("state") && kept.value("job", json()) == job_) {
      remove_staged(path_);
      remove_staged(output());
      set_state(kept["state"]);
      return;
    }
    log::info("{}: holds the unfinished output of other inputs or settings; starts anew",
              path_.string());
  }
  clear();
}

void WorkFolder::start_anew(const std::string& why) {
  log::warning("{}: {}; starts anew", path_.string(), why);
  clear();
}

// Everything but the lock. The job goes first: without it the rest is nobody's.
void WorkFolder::clear() {
  set_state(json::object());
  fs::remove(path_ / kJobName);
  for (const auto& entry : fs::directory_iterator(path_))
    if (entry.path().filename() != kLockName) fs::remove_all(entry.path());
  fs::create_directory(output());
}

void WorkFolder::save(json state) {
  write_text(path_ / kJobName, json{{"job", job_}, {"state", state}}.dump(1) + "\n");
  set_state(std::move(state));
}

json WorkFolder::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void WorkFolder::set_state(json state) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
}

void WorkFolder::publish() {
  publish_finished_directory(output(), target_, replace_);
  published_ = true;
}

WorkFolder::~WorkFolder() {
  if (!published_ && !state_.empty()) {
    log::warning("{}: keeps what is finished; the same command continues from it", path_.string());
  } else {
    std::error_code failure;
    fs::remove_all(path_, failure);
    if (failure) log::warning("{}: cannot remove: {}", path_.string(), failure.message());
  }
}

void BackgroundSaves::offer(std::int64_t done, json state) {
  using namespace std::chrono_literals;
  if (done - saved_ < interval_) return;
  if (running_.valid() && running_.wait_for(0s) != std::future_status::ready) return;
  finish();
  saved_ = done;
  running_ = std::async(std::launch::async, [this, kept = std::move(state)] {
    sync_();
    work_.save(kept);
  });
}

void BackgroundSaves::finish() {
  if (running_.valid()) running_.get();
}

json identity_of_file(const fs::path& path) {
  std::error_code absent;  // sources need not be files
  const auto size = fs::file_size(path, absent);
  if (absent) return {{"path", path.string()}};
  return {{"path", fs::absolute(path).string()},
          {"size", size},
          {"changed", fs::last_write_time(path).time_since_epoch().count()}};
}

}  // namespace lodestone
