#pragma once
// A disk that forgets: what a folder would look like after a power loss. Of every change to it that
// was not flushed since, enough is kept to take it back.
//   data     is safe after fsync of the file;
//   names    (made, renamed, removed) are safe after fsync of their folder.
// Nothing here may call the functions that the shim stands in for; all goes by `syscall`.
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lodestone::faults {

// A descriptor of our own.
class Handle {
 public:
  explicit Handle(int value) : value_(value) {}
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};
using SharedHandle = std::shared_ptr<Handle>;

// A name in a folder. The folder is held open, so that it is found again under another name.
struct Place {
  SharedHandle folder;
  std::string name;
  std::string path;  // absolute
};
Place place_of(int at, const char* path);  // as the arguments of openat
bool exists(const Place& place);
std::string path_of(int descriptor);

class VolatileDisk {
 public:
  explicit VolatileDisk(std::string root) : root_(std::move(root)) {}
  bool covers(const std::string& path) const;

  // Before a file's bytes change: [offset, offset + size) are written; it is cut to `size`.
  void will_write(int descriptor, off_t offset, std::size_t size);
  void will_cut(int descriptor, off_t size);
  // After a file or an empty folder was made.
  void made(const Place& place);
  // Before the name is removed.
  void will_remove(const Place& place);
  // Around a rename; `swaps`: the two change places.
  void will_rename(const Place& to);
  void renamed(const Place& from, const Place& to, bool swaps);
  // After fsync.
  void flushed(int descriptor);

  // The power goes. Of changed names, in the order of their changes, a random number reached the
  // disk; of changed bytes all, some, none, or holes.
  void lose_power(std::uint64_t seed);

 private:
  using FileId = std::pair<dev_t, ino_t>;
  struct Bytes {  // of one file, since its last flush
    SharedHandle file;
    off_t safe_size;
    std::vector<std::pair<off_t, std::string>> overwritten;  // newest last
  };
  struct Change {  // of one name
    FileId folder;
    std::function<void()> undo;
  };
  static FileId id_of(int descriptor);
  Bytes& bytes_of(int descriptor);
  std::shared_ptr<void> keep(const Place& place);
  void note(const Place& place, std::function<void()> undo);

  std::string root_;
  std::map<FileId, Bytes> unsafe_bytes_;
  std::vector<Change> unsafe_names_;
  std::map<std::string, std::shared_ptr<void>> replaced_;  // by the path renamed onto
};

}  // namespace lodestone::faults
