// Preloaded into a program under test (LD_PRELOAD), it stands between the program and the files of
// one folder: kills the program, cuts its power, or makes calls fail, at a chosen call.
//
//   FAULT_ROOT    absolute path of the folder; calls elsewhere pass
//   FAULT         kill, power, ENOSPC or EIO; none: calls are only counted
//   FAULT_AT      KIND:N, the N-th call (from 1) of that kind: write, fsync, rename, create,
//   remove,
//                 read; or ms:N, so long after the start (kill and power)
//   FAULT_IN      counts only calls whose path contains this text
//   FAULT_LASTS   how many calls fail from there on, all that need room (ENOSPC) or those of the
//                 kind (EIO); default: all
//   FAULT_SEED    what of unflushed changes survives a power loss
//   FAULT_LIES    if set, the disk only says that it flushed: to see that tests notice
//   FAULT_REPORT  a file that gets the number of calls of each kind when the program ends
//
// A kill or a first failure comes in the middle of a write, before an fsync, after a rename, a
// creation and a removal.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "tests/faults/shim/volatile_disk.h"

namespace lodestone::faults {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// True while the thread works for the shim itself: its own calls pass.
thread_local bool inside = false;

enum class Verdict { kPass, kFail, kDie };

class Shim {
 public:
  Shim() : disk(variable("FAULT_ROOT")) {
    const std::string at = variable("FAULT_AT");
    kind_ = at.substr(0, at.find(':'));
    number_ = at.empty() ? 0 : std::atol(at.c_str() + at.find(':') + 1);
    if (const std::string lasts = variable("FAULT_LASTS"); !lasts.empty())
      left_ = std::atol(lasts.c_str());
  }

  // What is to become of this call.
  Verdict count(const char* kind, const std::string& path) {
    const bool hit = path.find(in_) != path.npos && ++counts_[kind] == number_ && kind == kind_;
    if (hit && (what_ == "kill" || what_ == "power")) return Verdict::kDie;
    if (hit && !what_.empty()) failing_ = true;
    const bool needs_room = std::string(kind) == "write" || std::string(kind) == "create";
    if (!failing_ || (what_ == "ENOSPC" ? !needs_room : kind != kind_)) return Verdict::kPass;
    if (left_-- <= 0) return failing_ = false, Verdict::kPass;
    return Verdict::kFail;
  }
  // Sets errno; what a failed call returns.
  int refuse() const {
    errno = what_ == "ENOSPC" ? ENOSPC : EIO;
    return -1;
  }
  bool tracks() const { return what_ == "power"; }
  bool lies() const { return lies_; }

  [[noreturn]] void die() {
    inside = true;
    if (tracks()) disk.lose_power(std::strtoull(variable("FAULT_SEED").c_str(), nullptr, 10));
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }

  void start_clock() {
    if (kind_ != "ms") return;
    pthread_t thread{};
    const auto wait = [](void* self) -> void* {
      Shim& shim = *static_cast<Shim*>(self);
      const timespec pause{shim.number_ / 1000, shim.number_ % 1000 * 1000000};
      ::nanosleep(&pause, nullptr);
      shim.mutex.lock();  // between two calls
      shim.die();
    };
    ::pthread_create(&thread, nullptr, wait, this);
    ::pthread_detach(thread);
  }

  void report() const {
    const std::string file = variable("FAULT_REPORT");
    std::FILE* out = file.empty() ? nullptr : std::fopen(file.c_str(), "w");
    if (!out) return;
    for (const auto& [kind, calls] : counts_) std::fprintf(out, "%s %ld\n", kind.c_str(), calls);
    std::fclose(out);
  }

  std::mutex mutex;
  VolatileDisk disk;

 private:
  std::string what_ = variable("FAULT"), in_ = variable("FAULT_IN"), kind_;
  long number_ = 0, left_ = std::numeric_limits<long>::max();
  bool failing_ = false, lies_ = !variable("FAULT_LIES").empty();
  std::map<std::string, long> counts_;
};

// Never destroyed: threads may still write while the program ends.
Shim& shim() {
  static Shim* const instance = new Shim;
  return *instance;
}

[[gnu::constructor]] void begin() {
  shim().start_clock();
}
[[gnu::destructor]] void end() {
  shim().report();
}

// One call of the program; calls of the folder happen one after the other.
class Call {
 public:
  Call() : nested_(inside) {
    if (nested_) return;
    inside = true;
    shim().mutex.lock();
  }
  ~Call() {
    if (nested_) return;
    shim().mutex.unlock();
    inside = false;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  bool concerns(const std::string& path) const { return !nested_ && shim().disk.covers(path); }

 private:
  bool nested_;
};

bool full_now = false;  // the first write that fails is half done, as on a disk that fills up

// `act(size)` writes the first `size` bytes.
template <class Act>
ssize_t write_bytes(int file, off_t offset, std::size_t size, Act&& act) {
  const Call call;
  const std::string path = path_of(file);
  if (!call.concerns(path)) return act(size);
  const Verdict verdict = shim().count("write", path);
  if (verdict == Verdict::kFail && (std::exchange(full_now, true) || size < 2))
    return shim().refuse();
  if (verdict == Verdict::kPass) full_now = false;
  if (offset < 0)
    offset = (::fcntl(file, F_GETFL) & O_APPEND) ? std::numeric_limits<off_t>::max() / 2
                                                 : ::lseek(file, 0, SEEK_CUR);
  if (shim().tracks()) shim().disk.will_write(file, offset, size);
  const ssize_t written = act(verdict == Verdict::kPass ? size : size / 2);
  if (verdict == Verdict::kDie) shim().die();
  return written;
}

// `act()` changes names and returns 0 or more when it worked; `note()` remembers how to undo it.
template <class Act, class Note>
int change_name(const char* kind, const Place& place, const Call& call, Act&& act, Note&& note) {
  if (!call.concerns(place.path)) return act();
  const Verdict verdict = shim().count(kind, place.path);
  if (verdict == Verdict::kFail) return shim().refuse();
  const int result = act();
  const int error = errno;
  if (result >= 0 && shim().tracks()) note();
  if (verdict == Verdict::kDie) shim().die();
  errno = error;
  return result;
}

int open_file(int at, const char* name, int flags, mode_t mode) {
  const Call call;
  const auto act = [&] { return static_cast<int>(syscall(SYS_openat, at, name, flags, mode)); };
  if ((flags & (O_CREAT | O_TRUNC)) == 0) return act();
  const Place place = place_of(at, name);
  if (!call.concerns(place.path)) return act();
  if (!exists(place)) {
    if ((flags & O_CREAT) == 0) return act();
    return change_name("create", place, call, act, [&] { shim().disk.made(place); });
  }
  if ((flags & O_TRUNC) != 0 && shim().tracks()) {
    const long old = syscall(SYS_openat, at, name, O_RDONLY | O_CLOEXEC, 0);
    const Handle file(static_cast<int>(old));
    shim().disk.will_cut(file.value(), 0);
  }
  return act();
}

int make_folder(int at, const char* name, mode_t mode) {
  const Call call;
  const Place place = place_of(at, name);
  return change_name(
      "create", place, call, [&] { return static_cast<int>(syscall(SYS_mkdirat, at, name, mode)); },
      [&] { shim().disk.made(place); });
}

int remove_name(int at, const char* name, int flags) {
  const Call call;
  const Place place = place_of(at, name);
  // What has gone can no longer be kept.
  if (call.concerns(place.path) && shim().tracks()) shim().disk.will_remove(place);
  return change_name(
      "remove", place, call,
      [&] { return static_cast<int>(syscall(SYS_unlinkat, at, name, flags)); }, [] {});
}

int rename_name(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  const Call call;
  const Place source = place_of(from_at, from), target = place_of(to_at, to);
  if (call.concerns(target.path) && shim().tracks()) shim().disk.will_rename(target);
  return change_name(
      "rename", target, call,
      [&] { return static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, flags)); },
      [&] { shim().disk.renamed(source, target, flags == RENAME_EXCHANGE); });
}

int flush(int file, long number) {
  const Call call;
  const std::string path = path_of(file);
  const auto act = [&] { return static_cast<int>(syscall(number, file)); };
  if (!call.concerns(path + "/")) return act();
  const Verdict verdict = shim().count("fsync", path);
  if (verdict == Verdict::kDie) shim().die();
  if (verdict == Verdict::kFail) return shim().refuse();
  // Nothing of this reaches the disk of the test machine: the power loss is ours.
  if (shim().tracks()) {
    if (!shim().lies()) shim().disk.flushed(file);
    return 0;
  }
  return act();
}

int cut(int file, off_t size) {
  const Call call;
  if (call.concerns(path_of(file)) && shim().tracks()) shim().disk.will_cut(file, size);
  return static_cast<int>(syscall(SYS_ftruncate, file, size));
}

template <class Act>
ssize_t read_bytes(int file, Act&& act) {
  const Call call;
  const std::string path = path_of(file);
  if (call.concerns(path) && shim().count("read", path) == Verdict::kFail) return shim().refuse();
  return act();
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

// What the program calls instead of the C library's.
extern "C" {

int openat(int at, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(at, name, flags, mode);
}
int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(AT_FDCWD, name, flags, mode);
}
[[gnu::alias("openat")]] int openat64(int at, const char* name, int flags, ...);
[[gnu::alias("open")]] int open64(const char* name, int flags, ...);

ssize_t write(int file, const void* data, std::size_t size) {
  return write_bytes(file, -1, size, [&](std::size_t count) {
    return static_cast<ssize_t>(syscall(SYS_write, file, data, count));
  });
}
ssize_t pwrite(int file, const void* data, std::size_t size, off_t offset) {
  return write_bytes(file, offset, size, [&](std::size_t count) {
    return static_cast<ssize_t>(syscall(SYS_pwrite64, file, data, count, offset));
  });
}
[[gnu::alias("pwrite")]] ssize_t pwrite64(int file, const void* data, std::size_t size, off_t at);

ssize_t read(int file, void* data, std::size_t size) {
  return read_bytes(file,
                    [&] { return static_cast<ssize_t>(syscall(SYS_read, file, data, size)); });
}
ssize_t pread(int file, void* data, std::size_t size, off_t offset) {
  return read_bytes(
      file, [&] { return static_cast<ssize_t>(syscall(SYS_pread64, file, data, size, offset)); });
}
[[gnu::alias("pread")]] ssize_t pread64(int file, void* data, std::size_t size, off_t at);

int ftruncate(int file, off_t size) noexcept {
  return cut(file, size);
}
[[gnu::alias("ftruncate")]] int ftruncate64(int file, off_t size) noexcept;

int fsync(int file) {
  return flush(file, SYS_fsync);
}
int fdatasync(int file) {
  return flush(file, SYS_fdatasync);
}

int rename(const char* from, const char* to) noexcept {
  return rename_name(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) noexcept {
  return rename_name(from_at, from, to_at, to, flags);
}

int unlink(const char* name) noexcept {
  return remove_name(AT_FDCWD, name, 0);
}
int unlinkat(int at, const char* name, int flags) noexcept {
  return remove_name(at, name, flags);
}
int rmdir(const char* name) noexcept {
  return remove_name(AT_FDCWD, name, AT_REMOVEDIR);
}
int remove(const char* name) noexcept {
  const int result = remove_name(AT_FDCWD, name, 0);
  return result != 0 && errno == EISDIR ? remove_name(AT_FDCWD, name, AT_REMOVEDIR) : result;
}

int mkdir(const char* name, mode_t mode) noexcept {
  return make_folder(AT_FDCWD, name, mode);
}
int mkdirat(int at, const char* name, mode_t mode) noexcept {
  return make_folder(at, name, mode);
}
}

}  // namespace lodestone::faults
