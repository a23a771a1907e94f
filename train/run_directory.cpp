#include "train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "engine/core/check.h"

namespace lodestone {

namespace fs = std::filesystem;

RunDirectory::RunDirectory(fs::path path, bool resume) : path_(std::move(path)) {
  check(!resume || fs::exists(config()),
        "{}: holds no run to resume (there is no config.toml); leave out --resume to begin one",
        path_.string());
  check(resume || !fs::exists(config()),
        "{}: holds a run already; continue it with --resume or choose another directory",
        path_.string());
  check(!fs::exists(path_) || fs::is_directory(path_),
        "{}: is a file; choose a directory for the run", path_.string());
  made_ = !fs::exists(path_);
  fs::create_directories(path_);
  const fs::path file = lock_file();
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0)
    fail(ErrorKind::kIo, "{}: cannot open: {}", file.string(),
         std::generic_category().message(errno));
  // Released by the kernel when the process ends, however it ends.
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  check(error != EWOULDBLOCK,
        "{}: another process works in this run; wait for it or choose another directory",
        path_.string());
  fail(ErrorKind::kIo, "{}: cannot lock: {}", file.string(),
       std::generic_category().message(error));
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (!fs::exists(config(), ignored)) {
    fs::remove(lock_file(), ignored);
    if (made_) fs::remove(path_, ignored);
  }
  ::close(lock_);
}

}  // namespace lodestone
