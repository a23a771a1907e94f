#include "engine/io/positioned_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "engine/core/check.h"
#include "engine/io/io_error.h"

namespace lodestone {

PositionedFile::PositionedFile(const std::filesystem::path& path, Access access)
    : path_(path),
      descriptor_(::open(path.c_str(),
                         (access == Access::kRead ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC,
                         0666)) {
  if (descriptor_ < 0 && access == Access::kRead) fail_read("open", path, errno);
  if (descriptor_ < 0) fail_io("open", path, errno);
}

PositionedFile::~PositionedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

PositionedFile::PositionedFile(PositionedFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

PositionedFile& PositionedFile::operator=(PositionedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void PositionedFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_read("read", path_, errno);
    check_input(count > 0, "{}: ends at byte {}, {} more were expected; it is truncated",
                path_.native(), offset, out.size());
    out = out.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void PositionedFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("write", path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

std::uint64_t PositionedFile::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_io("inspect", path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void PositionedFile::resize(std::uint64_t bytes) {
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) fail_io("resize", path_, errno);
}

void PositionedFile::sync() const {
  if (::fdatasync(descriptor_) != 0) fail_io("flush", path_, errno);
}

}  // namespace lodestone
