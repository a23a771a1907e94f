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

// Writes under staging_path(target), flushes to disk, renames onto target (replacing a file; a
// directory target must not exist unless `replace`) and flushes the folder. When `write` throws,
// what was staged is removed and target is as it was. Disk full is kOutOfMemory, else kIo.
using WriteTo = std::function<void(const std::filesystem::path& staged)>;
void publish_file(const std::filesystem::path& target, const WriteTo& write);
void publish_directory(const std::filesystem::path& target, bool replace, const WriteTo& write);

// Whole text files; read_text throws as MappedFile, write_text goes through publish_file.
std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, std::string_view text);

// XXH3 (128 bit) of a file's bytes, or of memory, as 32 hexadecimal digits.
std::string hash_file(const std::filesystem::path& path);
std::string hash_bytes(std::span<const std::byte> bytes);

}  // namespace lodestone
