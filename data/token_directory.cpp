#include "data/token_directory.h"

#include <algorithm>

#include "data/token_directory_format.h"
#include "data/token_shard.h"
#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone {

struct TokenDirectory::Impl {
  struct Place {
    const TokenShard& shard;
    std::int64_t cell;  // within it
  };
  Place place(std::int64_t cell) const {
    check(cell >= 0 && cell < manifest.cells, "{}: has no cell {}; it holds {}", path.native(),
          cell, manifest.cells);
    const auto after = std::upper_bound(first_cells.begin(), first_cells.end(), cell);
    const auto index = static_cast<std::size_t>(after - first_cells.begin()) - 1;
    return {shards[index], cell - first_cells[index]};
  }

  std::filesystem::path path;
  std::string text;
  TokenManifest manifest;
  std::vector<TokenShard> shards;
  std::vector<std::int64_t> first_cells;  // of each shard
  std::int64_t longest = 0;
};

TokenDirectory::TokenDirectory(const std::filesystem::path& path, bool verify)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  check_input(std::filesystem::exists(path / kManifestName),
              "{}: has no {}; give a directory of `lodestone tokenize`", path.string(),
              kManifestName);
  impl_->text = read_text(path / kManifestName);
  impl_->manifest = parse_manifest(path / kManifestName, impl_->text);
  std::int64_t cells = 0;
  for (const ShardRecord& record : impl_->manifest.shards) {
    const TokenShard& shard = impl_->shards.emplace_back(path / record.file, record,
                                                         impl_->manifest.vocabulary_size, verify);
    impl_->first_cells.push_back(cells);
    cells += shard.cells();
    for (std::int64_t cell = 0; cell < shard.cells(); ++cell)
      impl_->longest = std::max(impl_->longest, shard.length(cell));
  }
}

TokenDirectory::~TokenDirectory() = default;
TokenDirectory::TokenDirectory(TokenDirectory&&) noexcept = default;

const std::filesystem::path& TokenDirectory::path() const {
  return impl_->path;
}
std::int64_t TokenDirectory::cells() const {
  return impl_->manifest.cells;
}
std::int64_t TokenDirectory::tokens() const {
  return impl_->manifest.tokens;
}
std::int64_t TokenDirectory::vocabulary_size() const {
  return impl_->manifest.vocabulary_size;
}
std::int64_t TokenDirectory::longest() const {
  return impl_->longest;
}
const std::string& TokenDirectory::manifest() const {
  return impl_->text;
}

CellTokens TokenDirectory::operator[](std::int64_t cell) const {
  const auto [shard, local] = impl_->place(cell);
  return shard[local];
}

std::int64_t TokenDirectory::length(std::int64_t cell) const {
  const auto [shard, local] = impl_->place(cell);
  return shard.length(local);
}

std::string TokenDirectory::cell_id(std::int64_t cell) const {
  const auto [shard, local] = impl_->place(cell);
  return shard.cell_id(local);
}

std::vector<std::string> TokenDirectory::labels(const std::string& column) const {
  std::vector<std::string> result;
  bool found = false;
  for (const TokenShard& shard : impl_->shards) {
    const bool has_it = shard.has_column(column);
    found |= has_it;
    const auto labels = has_it ? shard.labels(column)
                               : std::vector<std::string>(static_cast<std::size_t>(shard.cells()));
    result.insert(result.end(), labels.begin(), labels.end());
  }
  return found ? result : std::vector<std::string>();
}

}  // namespace lodestone
