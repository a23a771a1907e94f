#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lodestone {

// A file that grows by whole records, one write each: it never ends with a part of one, unless the
// process dies within a write.
class AppendFile {
 public:
  // Goes on at the end of `path`; a file that is not there is made.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // On a full disk the record waits in memory for the next call, with one warning. Throws kIo.
  void append(std::string_view record);
  // When this returns, every record is on the disk. Throws kOutOfMemory while records wait.
  void flush();
  const std::filesystem::path& path() const { return path_; }

 private:
  // Whether there was room for all that waits.
  bool write_waiting();

  std::filesystem::path path_;
  int descriptor_;
  std::int64_t size_ = 0;  // of the whole records in the file
  std::string waiting_;
  bool full_ = false;
};

}  // namespace lodestone
