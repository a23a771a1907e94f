#include "engine/io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/log.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

// `doing` is "open", "write", ...; `error` an errno.
[[noreturn]] void fail_io(std::string_view doing, const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == ENOMEM;
  fail(full ? ErrorKind::kOutOfMemory : ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing,
       std::generic_category().message(error));
}

// The same of a file to be read: one that is not there is bad input.
[[noreturn]] void fail_read(std::string_view doing, const fs::path& path, int error) {
  check_input(error != ENOENT && error != ENOTDIR && error != EISDIR, "{}: cannot {}: {}",
              path.string(), doing, std::generic_category().message(error));
  fail_io(doing, path, error);
}

// A descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC)) {
    if (value_ < 0) fail_read("open", path, errno);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

struct stat status_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) fail_io("inspect", path, errno);
  if (S_ISDIR(status.st_mode)) fail_read("read", path, EISDIR);
  return status;
}

void flush_to_disk(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  // Some file systems cannot flush a folder and say EINVAL.
  if (::fsync(file.value()) != 0 && errno != EINVAL) fail_io("flush", path, errno);
}

void flush_tree(const fs::path& root) {
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file() || entry.is_directory()) flush_to_disk(entry.path());
  flush_to_disk(root);
}

// "out/" names the same as "out".
fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

fs::path folder_of(const fs::path& target) {
  const fs::path parent = target.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

void rename_onto(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_io("rename the finished output to", to, errno);
}

// Removes what it guards unless told that it was published.
class Staged {
 public:
  explicit Staged(const fs::path& target) : path_(staging_path(target)) {}
  ~Staged() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) log::warning("{}: cannot remove: {}", path_.string(), error.message());
  }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// What the standard library reports, in our kinds.
template <class Body>
void with_our_errors(const fs::path& target, Body&& body) {
  try {
    body();
  } catch (const fs::filesystem_error& error) {
    fail_io("write", error.path1().empty() ? target : error.path1(), error.code().value());
  }
}

void check_folder(const fs::path& target) {
  const fs::path folder = folder_of(target);
  if (!fs::is_directory(folder))
    fail(ErrorKind::kIo, "{}: the folder {} does not exist; create it first", target.string(),
         folder.string());
}

std::string digits_of(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const Descriptor file(path, O_RDONLY);
  size_ = static_cast<std::size_t>(status_of(file, path).st_size);
  if (size_ == 0) return;  // nothing can be mapped
  void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.value(), 0);
  if (data == MAP_FAILED) fail_io("map", path, errno);
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

OutputFile::OutputFile(const fs::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail_io("create", path, errno);
  buffer_.reserve(kBufferBytes);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kBufferBytes - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (buffer_.size() == kBufferBytes) flush();
  }
}

void OutputFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("write", path_, errno);
    done += static_cast<std::size_t>(count);
  }
  buffer_.clear();
}

void OutputFile::close() {
  flush();
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_io("close", path_, errno);
}

fs::path staging_path(const fs::path& target) {
  static std::atomic<std::uint64_t> count{0};
  const fs::path named = without_trailing_slash(target);
  return folder_of(named) /
         fmt::format(".{}.staged-{}-{}", named.filename().string(), ::getpid(), count.fetch_add(1));
}

void publish_file(const fs::path& target, const WriteTo& write) {
  check_folder(target);
  const Staged staged(target);
  with_our_errors(target, [&] {
    write(staged.path());
    flush_to_disk(staged.path());
    rename_onto(staged.path(), target);
    flush_to_disk(folder_of(target));
  });
}

void publish_directory(const fs::path& given, bool replace, const WriteTo& write) {
  const fs::path target = without_trailing_slash(given);
  check_folder(target);
  check(replace || !fs::exists(target),
        "{}: exists already; remove it or choose another name for the output", target.string());
  const Staged staged(target);
  const Staged replaced(target);  // where the old directory waits to be removed
  with_our_errors(target, [&] {
    fs::create_directory(staged.path());
    write(staged.path());
    flush_tree(staged.path());
    const bool existed = fs::exists(target);
    if (existed) rename_onto(target, replaced.path());
    try {
      rename_onto(staged.path(), target);
    } catch (const Error&) {
      if (existed) fs::rename(replaced.path(), target);
      throw;
    }
    flush_to_disk(folder_of(target));
  });
}

std::string read_text(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  std::string text;
  text.reserve(static_cast<std::size_t>(status_of(file, path).st_size));
  std::vector<char> buffer(kBufferBytes);
  for (;;) {
    const ssize_t count = ::read(file.value(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("read", path, errno);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_text(const fs::path& path, std::string_view text) {
  publish_file(path, [&](const fs::path& staged) {
    OutputFile file(staged);
    file.write(text);
    file.close();
  });
}

std::string hash_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  status_of(file, path);  // refuses a folder
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    const ssize_t count = ::read(file.value(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("read", path, errno);
    if (count == 0) return digits_of(XXH3_128bits_digest(state.get()));
    XXH3_128bits_update(state.get(), buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string hash_bytes(std::span<const std::byte> bytes) {
  return digits_of(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace lodestone
