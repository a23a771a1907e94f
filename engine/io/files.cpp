#include "engine/io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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
#include "engine/io/io_error.h"

namespace lodestone {

namespace fs = std::filesystem;

void fail_io(std::string_view doing, const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == ENOMEM;
  fail(full ? ErrorKind::kOutOfMemory : ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing,
       std::generic_category().message(error));
}

void fail_read(std::string_view doing, const fs::path& path, int error) {
  check_input(error != ENOENT && error != ENOTDIR && error != EISDIR, "{}: cannot {}: {}",
              path.string(), doing, std::generic_category().message(error));
  fail_io(doing, path, error);
}

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::string_view kStagedMark = ".staged-";

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

// The bytes of a file in order. By reads, not a mapping: a bad disk is an error, not a signal.
template <class Take>
void for_each_piece(const fs::path& path, Take&& take) {
  const Descriptor file(path, O_RDONLY);
  status_of(file, path);
  std::vector<char> buffer(kBufferBytes);
  for (;;) {
    const ssize_t count = ::read(file.value(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("read", path, errno);
    if (count == 0) return;
    take(std::span<const char>(buffer.data(), static_cast<std::size_t>(count)));
  }
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

// Puts the directory `from` in the place of `to`. Some network file systems cannot swap two names
// at once; there a crash in between leaves the old one under the name `aside`.
void replace_directory(const fs::path& from, const fs::path& to, const fs::path& aside) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) fail_io("rename the finished output to", to, errno);
  rename_onto(to, aside);
  try {
    rename_onto(from, to);
  } catch (const Error&) {
    fs::rename(aside, to);
    throw;
  }
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
  return folder_of(named) / fmt::format(".{}{}{}-{}", named.filename().string(), kStagedMark,
                                        ::getpid(), count.fetch_add(1));
}

void remove_staged(const fs::path& folder) {
  std::vector<fs::path> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (const std::string name = entry.path().filename().string();
        name.starts_with('.') && name.find(kStagedMark) != name.npos)
      left.push_back(entry.path());
  with_our_errors(folder, [&] {
    for (const fs::path& path : left) {
      log::info("{}: was cut short and is removed", path.string());
      fs::remove_all(path);
    }
  });
}

void make_folder(const fs::path& given) {
  const fs::path folder = without_trailing_slash(given);
  if (fs::is_directory(folder)) return;
  if (folder.has_parent_path()) make_folder(folder.parent_path());
  with_our_errors(folder, [&] { fs::create_directory(folder); });
  flush_to_disk(folder_of(folder));
}

void flush_folder(const fs::path& folder) {
  flush_to_disk(folder);
}

void check_room(const fs::path& folder, std::uint64_t bytes) {
  struct statvfs system {};
  if (::statvfs(folder.c_str(), &system) != 0) fail_io("inspect the disk of", folder, errno);
  const std::uint64_t free = std::uint64_t{system.f_bavail} * system.f_frsize;
  const auto mb = [](std::uint64_t count) { return static_cast<double>(count) / 1e6; };
  if (free < bytes)
    fail(ErrorKind::kOutOfMemory,
         "{}: {:.1f} MB are needed and the disk has {:.1f} MB free; make room there",
         folder.string(), mb(bytes), mb(free));
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
  check_publishable(target, replace);
  const Staged staged(target);
  with_our_errors(target, [&] {
    fs::create_directory(staged.path());
    write(staged.path());
  });
  publish_finished_directory(staged.path(), target, replace);
}

void check_publishable(const fs::path& given, bool replace) {
  const fs::path target = without_trailing_slash(given);
  check_folder(target);
  check(replace || !fs::exists(target),
        "{}: exists already; choose another name for the output or replace it with --replace",
        target.string());
}

void publish_finished_directory(const fs::path& finished, const fs::path& given, bool replace) {
  const fs::path target = without_trailing_slash(given);
  check_publishable(target, replace);
  const Staged aside(target);  // where the old directory may wait to be removed
  with_our_errors(target, [&] {
    flush_tree(finished);
    if (fs::exists(target))
      replace_directory(finished, target, aside.path());
    else
      rename_onto(finished, target);
    flush_to_disk(folder_of(target));
  });
}

std::string read_text(const fs::path& path) {
  std::string text;
  for_each_piece(path,
                 [&](std::span<const char> piece) { text.append(piece.data(), piece.size()); });
  return text;
}

void write_text(const fs::path& path, std::string_view text) {
  publish_file(path, [&](const fs::path& staged) {
    OutputFile file(staged);
    file.write(text);
    file.close();
  });
}

std::string hash_file(const fs::path& path) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_128bits_reset(state.get());
  for_each_piece(path, [&](std::span<const char> piece) {
    XXH3_128bits_update(state.get(), piece.data(), piece.size());
  });
  return digits_of(XXH3_128bits_digest(state.get()));
}

std::uint64_t digest_bytes(std::span<const std::byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string hash_bytes(std::span<const std::byte> bytes) {
  return digits_of(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace lodestone
