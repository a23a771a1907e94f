#pragma once
// One mapped file of a token directory. data/token_directory*.cpp only.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "data/token_directory.h"
#include "data/token_directory_format.h"
#include "engine/io/files.h"

namespace lodestone {

class TokenShard {
 public:
  // Checks the file against its record, and every number in it; throws kBadInput.
  TokenShard(const std::filesystem::path& path, const ShardRecord& record,
             std::int64_t vocabulary_size, bool verify_hash);

  std::int64_t cells() const { return static_cast<std::int64_t>(species_.size()); }
  std::int64_t length(std::int64_t cell) const {
    const auto at = static_cast<std::size_t>(cell);
    return offsets_[at + 1] - offsets_[at];
  }
  CellTokens operator[](std::int64_t cell) const;
  const std::string& cell_id(std::int64_t cell) const;
  bool has_column(const std::string& column) const;
  std::vector<std::string> labels(const std::string& column) const;  // of a column that it has

 private:
  void check_offsets() const;
  void check_cells(std::int64_t vocabulary_size) const;
  void check_cell(std::int64_t cell, std::int64_t vocabulary_size) const;

  // Read when first asked for.
  struct CellIds {
    std::once_flag once;
    std::vector<std::string> ids;
  };

  MappedFile file_;
  std::unique_ptr<CellIds> cell_ids_ = std::make_unique<CellIds>();
  std::span<const std::int64_t> offsets_;  // [cells + 1]
  std::span<const std::uint32_t> tokens_;
  std::span<const float> values_;
  std::span<const std::uint8_t> species_;  // [cells]
};

}  // namespace lodestone
