#pragma once
// A file whose parts are read and written at given places, by any number of threads.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace lodestone {

// Disk full is kOutOfMemory, a file to be read that is missing or too short kBadInput, other
// failures are kIo, all with the file's name and the system's reason.
class PositionedFile {
 public:
  enum class Access : std::uint8_t {
    kRead,    // of a file that is there
    kUpdate,  // reading and writing; made when it is not there
  };
  PositionedFile(const std::filesystem::path& path, Access access);
  ~PositionedFile();
  PositionedFile(PositionedFile&& other) noexcept;
  PositionedFile& operator=(PositionedFile&& other) noexcept;

  void read(std::uint64_t offset, std::span<std::byte> out) const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  std::uint64_t size() const;
  // Cuts the file, or lengthens it by zeros.
  void resize(std::uint64_t bytes);
  // Returns when all that was written is on the disk.
  void sync() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace lodestone
