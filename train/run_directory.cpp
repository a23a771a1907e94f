#include "train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/host_name.h"
#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

// The holder writes who it is right after it has the lock.
std::string holder_of(const fs::path& lock) {
  std::string holder = read_text(lock);
  if (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.empty() ? "another process" : holder;
}

}  // namespace

RunLock::RunLock(fs::path file) : file_(std::move(file)) {
  while (!take()) ::close(descriptor_);
  const std::string holder = fmt::format("process {} on {}\n", ::getpid(), host_name());
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, holder.data(), holder.size(), 0) < 0)
    log::warning("{}: cannot write who holds it: {}", file_.string(), reason(errno));
}

bool RunLock::take() {
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(ErrorKind::kIo, "{}: cannot open: {}", file_.string(), reason(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(descriptor_);
    check(error != EWOULDBLOCK, "{}: {} works in this run; wait for it or choose another directory",
          file_.parent_path().string(), holder_of(file_));
    fail(ErrorKind::kIo, "{}: cannot lock: {}; choose a directory on a disk that can",
         file_.string(), reason(error));
  }
  struct stat held {
  }, named{};
  return ::fstat(descriptor_, &held) == 0 && ::stat(file_.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

RunDirectory::RunDirectory(fs::path path, Opening opening)
    : path_(std::move(path)), made_(!fs::exists(path_)) {
  check_usable(opening);
  make_folder(path_);
  lock_.emplace(lock_file());
  check_usable(opening);  // another process may have begun one before we had the lock
  remove_staged(path_);
}

void RunDirectory::check_usable(Opening opening) const {
  check(!fs::exists(path_) || fs::is_directory(path_),
        "{}: is a file; choose a directory for the run", path_.string());
  check(opening != Opening::kResume || holds_run(),
        "{}: holds no run to resume (there is no config.toml); give --data to begin one",
        path_.string());
  check(opening != Opening::kNew || !holds_run(),
        "{}: holds a run already; continue it with --resume or choose another directory",
        path_.string());
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (fs::exists(config(), ignored)) return;
  fs::remove(lock_file(), ignored);  // while it is still held
  if (made_) fs::remove(path_, ignored);
}

}  // namespace lodestone
