#pragma once
// Zip archives whose members are stored uncompressed, as torch.save makes them, with ZIP64.
// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/io/files.h"

namespace lodestone {

// The members of an archive, mapped. Opening checks every number, that members do not overlap, and
// every member's checksum; throws kBadInput.
class StoredZip {
 public:
  explicit StoredZip(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return file_.path(); }
  const std::map<std::string, std::span<const std::byte>>& members() const { return members_; }

 private:
  MappedFile file_;
  std::map<std::string, std::span<const std::byte>> members_;
};

// Writes an archive of stored members, each member's bytes beginning at a multiple of 64. Ends at
// 4 GiB (kInvalidArgument beyond).
class StoredZipWriter {
 public:
  explicit StoredZipWriter(const std::filesystem::path& path) : file_(path) {}
  void add(std::string_view name, std::span<const std::byte> bytes);
  void finish();

 private:
  void check_room(std::uint64_t bytes) const;
  OutputFile file_;
  std::string directory_;
  std::uint16_t count_ = 0;
};

}  // namespace lodestone
