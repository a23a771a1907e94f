#include "engine/io/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"
#include "engine/io/io_error.h"

namespace lodestone {

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) write_text(path_, "");
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) fail_io("open", path_, errno);
  size_ = status.st_size;
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view record) {
  waiting_ += record;
  const bool was_full = std::exchange(full_, !write_waiting());
  if (full_ && !was_full)
    log::warning("{}: the disk is full; what comes next is written when there is room again",
                 path_.string());
  if (was_full && !full_) log::info("{}: there is room again; nothing was lost", path_.string());
}

bool AppendFile::write_waiting() {
  for (std::string_view rest = waiting_; !rest.empty();) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == ENOSPC || errno == EDQUOT) {
      if (::ftruncate(descriptor_, size_) != 0) fail_io("shorten", path_, errno);
      return false;
    } else if (errno != EINTR) {
      fail_io("append", path_, errno);
    }
  }
  size_ += static_cast<std::int64_t>(waiting_.size());
  waiting_.clear();
  return true;
}

void AppendFile::flush() {
  append("");
  if (full_) fail(ErrorKind::kOutOfMemory, "{}: the disk is full; make room there", path_.string());
  if (::fdatasync(descriptor_) != 0) fail_io("flush", path_, errno);
}

}  // namespace lodestone
