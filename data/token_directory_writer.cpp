// Appended cells are spooled to a file beside the target; in memory stays what says where each one
// lies. finish() writes the shards in shuffled order from there.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <unordered_map>

#include "data/permutation.h"
#include "data/token_directory.h"
#include "data/token_directory_format.h"
#include "engine/core/check.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBlockTokens = std::size_t{1} << 20;  // written to a shard at once

// One cell of the spool: tokens, values and the cell's id, one after the other.
struct SpooledCell {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t id_bytes = 0;
  Species species = Species::kHuman;
};

// An obs column: a code per appended cell.
struct Column {
  std::string name;
  std::vector<std::int32_t> codes;
  std::vector<std::string> categories;
  std::unordered_map<std::string, std::int32_t> code_of;

  void append(const std::string& label) {
    if (label.empty()) {
      codes.push_back(-1);
      return;
    }
    const auto [place, is_new] =
        code_of.try_emplace(label, static_cast<std::int32_t>(categories.size()));
    if (is_new) categories.push_back(label);
    codes.push_back(place->second);
  }
};

void check_columns(const fs::path& path, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names)
    check(!name.empty() && name.find('/') == std::string::npos && name != "." &&
              seen.insert(name).second,
          "{}: obs column '{}' must have a name of its own without '/'", path.string(), name);
}

// Ranked values and tokens of the vocabulary, as TokenDirectory will want them.
void check_cell(const TokenizedCell& cell, std::int64_t vocabulary_size) {
  check(!cell.tokens.empty() && cell.tokens.size() == cell.values.size(),
        "token directory: cell {} has {} tokens and {} values", cell.cell_id, cell.tokens.size(),
        cell.values.size());
  for (std::size_t i = 0; i < cell.tokens.size(); ++i) {
    check(cell.tokens[i] >= kSpecialTokens && cell.tokens[i] < vocabulary_size,
          "token directory: cell {} has token {}, expected {} to {}", cell.cell_id, cell.tokens[i],
          kSpecialTokens, vocabulary_size - 1);
    check(std::isfinite(cell.values[i]) && cell.values[i] > 0,
          "token directory: cell {} has the value {}, expected a finite one above 0", cell.cell_id,
          cell.values[i]);
    check(i == 0 || cell.values[i] <= cell.values[i - 1],
          "token directory: cell {} is not ranked by value at position {}", cell.cell_id, i);
  }
}

// Numbers appended to a contiguous dataset in blocks.
template <class T>
class BlockWriter {
 public:
  BlockWriter(hdf5::Group& group, const std::string& name, std::int64_t count)
      : dataset_(group.create_contiguous<T>(name, {count})) {}
  void append(const std::byte* from, std::size_t count) {
    const std::size_t old = block_.size();
    block_.resize(old + count);
    std::memcpy(block_.data() + old, from, count * sizeof(T));
    if (block_.size() >= kBlockTokens) flush();
  }
  void flush() {
    dataset_.write_rows<T>(written_, block_);
    written_ += static_cast<std::int64_t>(block_.size());
    block_.clear();
  }

 private:
  hdf5::Dataset dataset_;
  std::vector<T> block_;
  std::int64_t written_ = 0;
};

}  // namespace

struct TokenDirectoryWriter::Impl {
  Impl(const fs::path& target, Options given)
      : path(target), options(std::move(given)), spool_path(staging_path(target)) {
    check(options.cells_per_shard > 0, "token directory: cells_per_shard must be above 0, is {}",
          options.cells_per_shard);
    check(options.vocabulary_size > kSpecialTokens && options.vocabulary_size <= INT32_MAX,
          "token directory: vocabulary_size is {}, expected {} to {}", options.vocabulary_size,
          kSpecialTokens + 1, INT32_MAX);
    check(options.replace || !fs::exists(path),
          "{}: exists already; remove it or choose another name for the output", path.string());
    check_columns(path, options.obs_columns);
    for (const std::string& name : options.obs_columns) columns.push_back({name, {}, {}, {}});
    spool = std::make_unique<OutputFile>(spool_path);
  }
  ~Impl() {
    std::error_code ignored;  // a destructor cannot report; the name says what the file is
    fs::remove(spool_path, ignored);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void append(const TokenizedCell& cell);
  TokenManifest write_shards(const fs::path& folder) const;
  ShardRecord write_shard(const fs::path& file, std::span<const std::int64_t> order,
                          std::span<const std::byte> spooled) const;
  void write_texts(hdf5::File& file, std::span<const std::int64_t> order,
                   std::span<const std::byte> spooled) const;

  fs::path path;
  Options options;
  fs::path spool_path;
  std::unique_ptr<OutputFile> spool;  // until finish()
  std::vector<SpooledCell> cells;
  std::vector<Column> columns;
};

void TokenDirectoryWriter::Impl::append(const TokenizedCell& cell) {
  check(spool != nullptr, "token directory: a cell was appended after finish()");
  check_cell(cell, options.vocabulary_size);
  check(cell.obs.size() == columns.size(), "token directory: cell {} has {} labels for {} columns",
        cell.cell_id, cell.obs.size(), columns.size());
  cells.push_back({spool->size(), static_cast<std::uint32_t>(cell.tokens.size()),
                   static_cast<std::uint32_t>(cell.cell_id.size()), cell.species});
  spool->write(std::as_bytes(std::span(cell.tokens)));
  spool->write(std::as_bytes(std::span(cell.values)));
  spool->write(cell.cell_id);
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].append(cell.obs[i]);
}

TokenManifest TokenDirectoryWriter::Impl::write_shards(const fs::path& folder) const {
  const MappedFile spooled(spool_path);
  const auto order = permutation_of(static_cast<std::int64_t>(cells.size()),
                                    RandomKey::derive(options.seed, 0, 0));
  TokenManifest manifest;
  manifest.vocabulary_size = options.vocabulary_size;
  const auto per_shard = static_cast<std::size_t>(options.cells_per_shard);
  for (std::size_t first = 0; first < order.size(); first += per_shard) {
    const std::size_t count = std::min(per_shard, order.size() - first);
    const ShardRecord shard = write_shard(folder / shard_name(manifest.shards.size()),
                                          std::span(order).subspan(first, count), spooled.bytes());
    manifest.cells += shard.cells;
    manifest.tokens += shard.tokens;
    manifest.shards.push_back(shard);
  }
  return manifest;
}

// The widest numbers come first, so that every dataset is aligned in the file.
ShardRecord TokenDirectoryWriter::Impl::write_shard(const fs::path& file,
                                                    std::span<const std::int64_t> order,
                                                    std::span<const std::byte> spooled) const {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::uint8_t> species;
  for (const std::int64_t index : order) {
    const SpooledCell& cell = cells[static_cast<std::size_t>(index)];
    offsets.push_back(offsets.back() + cell.length);
    species.push_back(static_cast<std::uint8_t>(cell.species));
  }
  {
    hdf5::File shard = hdf5::File::create(file);
    shard.create_numbers<std::int64_t>("offsets", {static_cast<std::int64_t>(offsets.size())},
                                       offsets);
    BlockWriter<std::uint32_t> tokens(shard, "tokens", offsets.back());
    BlockWriter<float> values(shard, "values", offsets.back());
    for (const std::int64_t index : order) {
      const SpooledCell& cell = cells[static_cast<std::size_t>(index)];
      const std::byte* const at = spooled.data() + cell.offset;
      tokens.append(at, cell.length);
      values.append(at + cell.length * sizeof(std::uint32_t), cell.length);
    }
    tokens.flush();
    values.flush();
    shard.create_numbers<std::uint8_t>("species", {static_cast<std::int64_t>(species.size())},
                                       species);
    write_texts(shard, order, spooled);
    shard.flush();
  }
  return {file.filename().string(), static_cast<std::int64_t>(order.size()), offsets.back(),
          hash_file(file)};
}

void TokenDirectoryWriter::Impl::write_texts(hdf5::File& file, std::span<const std::int64_t> order,
                                             std::span<const std::byte> spooled) const {
  std::vector<std::string> ids;
  for (const std::int64_t index : order) {
    const SpooledCell& cell = cells[static_cast<std::size_t>(index)];
    const std::size_t begin = cell.offset + cell.length * (sizeof(std::uint32_t) + sizeof(float));
    ids.emplace_back(reinterpret_cast<const char*>(spooled.data() + begin), cell.id_bytes);
  }
  file.create_texts("cell_id", ids);
  hdf5::Group obs = file.create_group("obs");
  for (const Column& column : columns) {
    std::vector<std::int32_t> codes;
    for (const std::int64_t index : order)
      codes.push_back(column.codes[static_cast<std::size_t>(index)]);
    hdf5::Group group = obs.create_group(column.name);
    group.create_numbers<std::int32_t>("codes", {static_cast<std::int64_t>(codes.size())}, codes);
    group.create_texts("categories", column.categories);
  }
}

TokenDirectoryWriter::TokenDirectoryWriter(const fs::path& path, Options options)
    : impl_(std::make_unique<Impl>(path, std::move(options))) {}

TokenDirectoryWriter::~TokenDirectoryWriter() = default;

void TokenDirectoryWriter::append(const TokenizedCell& cell) {
  impl_->append(cell);
}

void TokenDirectoryWriter::finish(const std::string& manifest_json) {
  check(impl_->spool != nullptr, "token directory: finish() was called twice");
  check_input(!impl_->cells.empty(), "{}: no cell was left to write", impl_->path.string());
  impl_->spool->close();
  impl_->spool.reset();
  publish_directory(impl_->path, impl_->options.replace, [&](const fs::path& staged) {
    const TokenManifest manifest = impl_->write_shards(staged);
    write_text(staged / kManifestName, manifest_text(manifest, manifest_json));
  });
}

}  // namespace lodestone
