#pragma once
// Files that are either whole or absent.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lodestone {

// A file mapped read-only into memory. Throws kBadInput when there is none and kIo when it cannot
// be opened, with its name and why.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// A new file, written from front to back. Disk full is kOutOfMemory, other failures are kIo, both
// with the file's name and the system's reason.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();  // closes without a check: call close() when all is written
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void close();
  std::uint64_t size() const { return size_; }  // bytes written so far

 private:
  void flush();
  std::filesystem::path path_;
  std::vector<std::byte> buffer_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
};

// A path beside `target` to write to first; unique to this call of this process.
std::filesystem::path staging_path(const std::filesystem::path& target);

// Writes under staging_path(target), flushes every file and folder of it to disk, renames onto
// target (replacing a file; a directory target must not exist unless `replace`) and flushes the
// folder. When `write` throws,
// what was staged is removed and target is as it was. Disk full is kOutOfMemory, else kIo.
using WriteTo = std::function<void(const std::filesystem::path& staged)>;
void publish_file(const std::filesystem::path& target, const WriteTo& write);
void publish_directory(const std::filesystem::path& target, bool replace, const WriteTo& write);
// The second half of publish_directory, for a directory on the same file system that is finished.
void publish_finished_directory(const std::filesystem::path& finished,
                                const std::filesystem::path& target, bool replace);
// Throws unless publish_directory(target, replace, ...) may begin.
void check_publishable(const std::filesystem::path& target, bool replace);

// Removes what killed writers left in a folder under staging names, a line each. Only while no
// other process writes there.
void remove_staged(const std::filesystem::path& folder);

// Makes a folder, and those above it that are missing, so that a power loss does not take them.
void make_folder(const std::filesystem::path& folder);

// Puts on the disk which files a folder has; their contents are theirs to flush.
void flush_folder(const std::filesystem::path& folder);

// Throws kOutOfMemory, saying what is needed and what is free, unless the disk of that folder has
// room for so many bytes.
void check_room(const std::filesystem::path& folder, std::uint64_t bytes);

// Whole text files; read_text throws as MappedFile, write_text goes through publish_file.
std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, std::string_view text);

// XXH3 (128 bit) of a file's bytes, or of memory, as 32 hexadecimal digits.
std::string hash_file(const std::filesystem::path& path);
std::string hash_bytes(std::span<const std::byte> bytes);
// XXH3 (64 bit): for sums over many pieces.
std::uint64_t digest_bytes(std::span<const std::byte> bytes, std::uint64_t seed);

}  // namespace lodestone
