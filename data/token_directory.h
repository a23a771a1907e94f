#pragma once
// A token directory (design: design/cli.md): manifest.json and shard-NNNNN.h5 with tokens u32
// [nnz], values f32 [nnz], offsets i64 [cells + 1], species u8 [cells], cell_id string [cells],
// obs/COLUMN/{codes,categories}. Numeric datasets are contiguous, so that they are mapped, not
// read.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "model/batch.h"

namespace lodestone {

struct CellTokens {
  std::span<const std::uint32_t> tokens;  // ranked by value, descending
  std::span<const float> values;
  Species species = Species::kHuman;
};

// Cells of a token directory by global index; immutable, safe for many threads.
class TokenDirectory {
 public:
  // Checks the manifest, every shard's shapes, offsets, hash (when `verify`) and that every token
  // is in [kSpecialTokens, vocabulary size) and every value finite and > 0. Throws kBadInput.
  explicit TokenDirectory(const std::filesystem::path& path, bool verify = true);
  ~TokenDirectory();
  TokenDirectory(TokenDirectory&&) noexcept;

  const std::filesystem::path& path() const;
  std::int64_t cells() const;
  std::int64_t tokens() const;  // of all cells
  std::int64_t vocabulary_size() const;
  CellTokens operator[](std::int64_t cell) const;
  std::int64_t length(std::int64_t cell) const;
  std::int64_t longest() const;
  std::string cell_id(std::int64_t cell) const;
  // The label of every cell in an obs column ("" = missing), in global order; empty when no shard
  // has it.
  std::vector<std::string> labels(const std::string& column) const;
  const std::string& manifest() const;  // JSON text

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lodestone
