#include "tests/faults/shim/volatile_disk.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>

namespace lodestone::faults {

namespace {

constexpr const char* kKeptFiles = ".kept";  // beside the root: links to files that lost their name

std::string in_proc(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

int open_at(int at, const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, at, path, flags | O_CLOEXEC, 0666));
}

std::string read_bytes(int file, off_t begin, off_t end) {
  std::string bytes(static_cast<std::size_t>(std::max<off_t>(0, end - begin)), '\0');
  const long count = syscall(SYS_pread64, file, bytes.data(), bytes.size(), begin);
  bytes.resize(static_cast<std::size_t>(std::max(0L, count)));
  return bytes;
}

off_t size_of(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 ? status.st_size : 0;
}

// A link to a file that is about to lose its name; it goes when nobody wants it any more.
struct KeptFile {
  explicit KeptFile(std::string link) : path(std::move(link)) {}
  ~KeptFile() { syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), 0); }
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;
  void put_back(const Place& place) const {
    syscall(SYS_renameat, AT_FDCWD, path.c_str(), place.folder->value(), place.name.c_str());
  }
  std::string path;
};

}  // namespace

Handle::~Handle() {
  if (value_ >= 0) syscall(SYS_close, value_);
}

std::string path_of(int descriptor) {
  std::array<char, PATH_MAX> target{};
  const long length =
      syscall(SYS_readlinkat, AT_FDCWD, in_proc(descriptor).c_str(), target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(std::max(0L, length))};
}

Place place_of(int at, const char* path) {
  std::string folder(path);
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  const std::size_t slash = folder.rfind('/');
  Place place{nullptr, folder.substr(slash == folder.npos ? 0 : slash + 1), ""};
  folder = slash == folder.npos ? "." : folder.substr(0, std::max<std::size_t>(1, slash));
  place.folder = std::make_shared<Handle>(open_at(at, folder.c_str(), O_PATH | O_DIRECTORY));
  place.path = path_of(place.folder->value()) + "/" + place.name;
  return place;
}

bool exists(const Place& place) {
  struct statx status {};
  return syscall(SYS_statx, place.folder->value(), place.name.c_str(), AT_SYMLINK_NOFOLLOW,
                 STATX_TYPE, &status) == 0;
}

bool VolatileDisk::covers(const std::string& path) const {
  return path.size() > root_.size() && path.starts_with(root_) && path[root_.size()] == '/';
}

VolatileDisk::FileId VolatileDisk::id_of(int descriptor) {
  struct stat status {};
  ::fstat(descriptor, &status);
  return {status.st_dev, status.st_ino};
}

VolatileDisk::Bytes& VolatileDisk::bytes_of(int descriptor) {
  const auto [entry, is_new] = unsafe_bytes_.try_emplace(id_of(descriptor));
  if (is_new) {
    const int own = open_at(AT_FDCWD, in_proc(descriptor).c_str(), O_RDWR);
    entry->second = {std::make_shared<Handle>(own), size_of(own), {}};
  }
  return entry->second;
}

void VolatileDisk::will_write(int descriptor, off_t offset, std::size_t size) {
  Bytes& bytes = bytes_of(descriptor);
  const off_t end = std::min(offset + static_cast<off_t>(size), bytes.safe_size);
  if (offset < end)
    bytes.overwritten.emplace_back(offset, read_bytes(bytes.file->value(), offset, end));
}

void VolatileDisk::will_cut(int descriptor, off_t size) {
  Bytes& bytes = bytes_of(descriptor);
  if (size < bytes.safe_size)
    bytes.overwritten.emplace_back(size, read_bytes(bytes.file->value(), size, bytes.safe_size));
}

void VolatileDisk::note(const Place& place, std::function<void()> undo) {
  unsafe_names_.push_back({id_of(place.folder->value()), std::move(undo)});
}

void VolatileDisk::made(const Place& place) {
  note(place, [place] {
    std::error_code ignored;
    std::filesystem::remove_all(in_proc(place.folder->value()) + "/" + place.name, ignored);
  });
}

// Null for a folder, which cannot be linked.
std::shared_ptr<void> VolatileDisk::keep(const Place& place) {
  const std::string kept = root_ + kKeptFiles;
  static int count = 0;
  syscall(SYS_mkdirat, AT_FDCWD, kept.c_str(), 0777);
  auto file = std::make_shared<KeptFile>(kept + "/" + std::to_string(count++));
  syscall(SYS_unlinkat, AT_FDCWD, file->path.c_str(), 0);  // of a process that was killed
  const long linked = syscall(SYS_linkat, place.folder->value(), place.name.c_str(), AT_FDCWD,
                              file->path.c_str(), 0);
  return linked == 0 ? file : nullptr;
}

void VolatileDisk::will_remove(const Place& place) {
  if (!exists(place)) return;
  note(place, [place, kept = keep(place)] {
    if (kept)
      static_cast<const KeptFile*>(kept.get())->put_back(place);
    else
      syscall(SYS_mkdirat, place.folder->value(), place.name.c_str(), 0777);
  });
}

void VolatileDisk::will_rename(const Place& to) {
  replaced_[to.path] = exists(to) ? keep(to) : nullptr;
}

void VolatileDisk::renamed(const Place& from, const Place& to, bool swaps) {
  const std::shared_ptr<void> kept = std::exchange(replaced_[to.path], nullptr);
  note(to, [from, to, swaps, kept] {
    syscall(SYS_renameat2, to.folder->value(), to.name.c_str(), from.folder->value(),
            from.name.c_str(), swaps ? 2 /* RENAME_EXCHANGE */ : 0);
    if (kept && !swaps) static_cast<const KeptFile*>(kept.get())->put_back(to);
  });
}

void VolatileDisk::flushed(int descriptor) {
  const FileId id = id_of(descriptor);
  unsafe_bytes_.erase(id);
  std::erase_if(unsafe_names_, [&](const Change& change) { return change.folder == id; });
}

void VolatileDisk::lose_power(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t survive = random() % (unsafe_names_.size() + 1);
  while (unsafe_names_.size() > survive) {
    unsafe_names_.back().undo();
    unsafe_names_.pop_back();
  }
  for (auto& [id, bytes] : unsafe_bytes_) {
    const int file = bytes.file->value();
    const off_t size = size_of(file);
    const auto cut = [&](off_t to) { syscall(SYS_ftruncate, file, to); };
    switch (random() % 4) {
      case 0:  // nothing
        cut(bytes.safe_size);
        for (auto old = bytes.overwritten.rbegin(); old != bytes.overwritten.rend(); ++old)
          syscall(SYS_pwrite64, file, old->second.data(), old->second.size(), old->first);
        break;
      case 1:  // the size, but not the bytes
        cut(std::min(size, bytes.safe_size));
        cut(size);
        break;
      case 2:  // some of the new bytes
        if (size > bytes.safe_size)
          cut(bytes.safe_size +
              static_cast<off_t>(random() % static_cast<std::uint64_t>(size - bytes.safe_size)));
        break;
      default:  // all
        break;
    }
  }
}

}  // namespace lodestone::faults
