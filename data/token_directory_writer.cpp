// A shard is an HDF5 file whose tokens and values are contiguous: the library makes it whole but
// for these, which then are written at their offsets in the file.
#include "data/token_directory_writer.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "data/permutation.h"
#include "data/token_directory_format.h"
#include "engine/core/check.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "engine/io/positioned_file.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

using Order = std::span<const std::int64_t>;  // numbers of cells in the plan

void check_plan(const TokenPlan& plan) {
  const std::size_t cells = plan.lengths.size();
  check_input(cells > 0, "token directory: no cell was left to write");
  check(plan.species.size() == cells && plan.cell_ids.size() == cells,
        "token directory: {} lengths, {} species and {} cell ids were given", cells,
        plan.species.size(), plan.cell_ids.size());
  const auto empty = std::find_if(plan.lengths.begin(), plan.lengths.end(),
                                  [](std::int32_t length) { return length <= 0; });
  check(empty == plan.lengths.end(), "token directory: cell {} has no tokens",
        empty - plan.lengths.begin());
  std::set<std::string> seen;
  for (const ObsColumn& column : plan.obs) {
    check(!column.name.empty() && column.name.find('/') == std::string::npos &&
              column.name != "." && seen.insert(column.name).second,
          "token directory: obs column '{}' must have a name of its own without '/'", column.name);
    check(column.codes.size() == cells, "token directory: obs column '{}' has {} codes of {} cells",
          column.name, column.codes.size(), cells);
  }
}

// Every shard is an open file.
void check_shard_count(std::size_t shards) {
  constexpr std::size_t kOtherFiles = 64;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  check(shards + kOtherFiles < limit.rlim_cur,
        "token directory: {} shards are more files than may be open ({}); raise cells_per_shard or "
        "`ulimit -n`",
        shards, limit.rlim_cur);
}

void write_texts(hdf5::File& file, Order order, const TokenPlan& plan) {
  std::vector<std::string> ids;
  for (const std::int64_t cell : order)
    ids.push_back(plan.cell_ids[static_cast<std::size_t>(cell)]);
  file.create_texts("cell_id", ids);
  hdf5::Group obs = file.create_group("obs");
  for (const ObsColumn& column : plan.obs) {
    std::vector<std::int32_t> codes;
    for (const std::int64_t cell : order)
      codes.push_back(column.codes[static_cast<std::size_t>(cell)]);
    hdf5::Group group = obs.create_group(column.name);
    group.create_numbers<std::int32_t>("codes", {static_cast<std::int64_t>(codes.size())}, codes);
    group.create_texts("categories", column.categories);
  }
}

// Writes everything but the tokens and values. The widest numbers come first, so that every dataset
// is aligned in the file.
void make_shard(const fs::path& path, Order order, const TokenPlan& plan) {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::uint8_t> species;
  for (const std::int64_t cell : order) {
    offsets.push_back(offsets.back() + plan.lengths[static_cast<std::size_t>(cell)]);
    species.push_back(static_cast<std::uint8_t>(plan.species[static_cast<std::size_t>(cell)]));
  }
  hdf5::File shard = hdf5::File::create(path);
  shard.create_numbers<std::int64_t>("offsets", {static_cast<std::int64_t>(offsets.size())},
                                     offsets);
  shard.create_contiguous<std::uint32_t>("tokens", {offsets.back()});
  shard.create_contiguous<float>("values", {offsets.back()});
  shard.create_numbers<std::uint8_t>("species", {static_cast<std::int64_t>(species.size())},
                                     species);
  write_texts(shard, order, plan);
  shard.flush();
}

// A shard whose tokens and values are being filled in.
struct Shard {
  ShardRecord record;
  std::uint64_t tokens_at = 0, values_at = 0;  // bytes in the file
  PositionedFile file;
};

Shard open_shard(const fs::path& path, std::int64_t cells, std::int64_t tokens) {
  const hdf5::File layout = hdf5::File::open(path);
  const auto place = [&](const char* name) {
    const hdf5::Dataset dataset = layout.dataset(name);
    check_input(dataset.rows() == tokens, "{}: holds {} numbers where {} are planned",
                dataset.where(), dataset.rows(), tokens);
    return static_cast<std::uint64_t>(dataset.file_offset());
  };
  return {{path.filename().string(), cells, tokens, ""},
          place("tokens"),
          place("values"),
          PositionedFile(path, PositionedFile::Access::kUpdate)};
}

bool is_ranked_cell(std::span<const std::uint32_t> tokens, std::span<const float> values,
                    std::int64_t vocabulary_size) {
  bool good = true;
  for (const std::uint32_t token : tokens)
    good &= token >= kSpecialTokens && token < vocabulary_size;
  for (std::size_t i = 0; i < values.size(); ++i)
    good &= std::isfinite(values[i]) && values[i] > 0 && (i == 0 || values[i] <= values[i - 1]);
  return good;
}

std::uint64_t digest_of_cell(std::int64_t cell, std::span<const std::uint32_t> tokens,
                             std::span<const float> values) {
  const auto number = static_cast<std::uint64_t>(cell);
  return digest_bytes(std::as_bytes(tokens), 2 * number) +
         digest_bytes(std::as_bytes(values), 2 * number + 1);
}

}  // namespace

struct TokenDirectoryWriter::Impl {
  Impl(const fs::path& given, const Options& chosen, TokenPlan cells, bool made);
  void place_shard(Order cells_of_shard, bool made);

  struct Place {
    std::uint32_t shard;
    std::int64_t first;  // token in it
  };

  fs::path folder;
  Options options;
  TokenPlan plan;
  std::vector<std::int64_t> order;  // cells as they lie in the shards
  std::vector<Place> places;        // [cells]
  std::vector<Shard> shards;
};

TokenDirectoryWriter::Impl::Impl(const fs::path& given, const Options& chosen, TokenPlan cells,
                                 bool made)
    : folder(given), options(chosen), plan(std::move(cells)), places(plan.lengths.size()) {
  check(options.cells_per_shard > 0, "token directory: cells_per_shard must be above 0, is {}",
        options.cells_per_shard);
  check(options.vocabulary_size > kSpecialTokens && options.vocabulary_size <= INT32_MAX,
        "token directory: vocabulary_size is {}, expected {} to {}", options.vocabulary_size,
        kSpecialTokens + 1, INT32_MAX);
  check_plan(plan);
  const std::size_t count = plan.lengths.size();
  const auto per_shard = static_cast<std::size_t>(options.cells_per_shard);
  check_shard_count((count - 1) / per_shard + 1);
  order = permutation_of(static_cast<std::int64_t>(count), RandomKey::derive(options.seed, 0, 0));
  for (std::size_t first = 0; first < count; first += per_shard)
    place_shard(std::span(order).subspan(first, std::min(per_shard, count - first)), made);
  flush_folder(folder);
}

void TokenDirectoryWriter::Impl::place_shard(Order cells_of_shard, bool made) {
  const fs::path path = folder / shard_name(shards.size());
  std::int64_t tokens = 0;
  for (const std::int64_t cell : cells_of_shard) {
    const auto at = static_cast<std::size_t>(cell);
    places[at] = {static_cast<std::uint32_t>(shards.size()), tokens};
    tokens += plan.lengths[at];
  }
  if (!made) make_shard(path, cells_of_shard, plan);
  shards.push_back(open_shard(path, static_cast<std::int64_t>(cells_of_shard.size()), tokens));
}

TokenDirectoryWriter::TokenDirectoryWriter(const fs::path& folder, const Options& options,
                                           TokenPlan plan, bool made)
    : impl_(std::make_unique<Impl>(folder, options, std::move(plan), made)) {}

TokenDirectoryWriter::~TokenDirectoryWriter() = default;

std::uint64_t TokenDirectoryWriter::put(std::int64_t cell, std::span<const std::uint32_t> tokens,
                                        std::span<const float> values) {
  const auto at = static_cast<std::size_t>(cell);
  const auto planned = static_cast<std::size_t>(impl_->plan.lengths.at(at));
  const std::string& id = impl_->plan.cell_ids[at];
  check(tokens.size() == planned && values.size() == planned,
        "token directory: cell {} has {} tokens and {} values, {} were planned", id, tokens.size(),
        values.size(), planned);
  check(is_ranked_cell(tokens, values, impl_->options.vocabulary_size),
        "token directory: cell {} must have tokens from {} to {} and descending, finite values "
        "above 0",
        id, kSpecialTokens, impl_->options.vocabulary_size - 1);
  const Impl::Place place = impl_->places[at];
  Shard& shard = impl_->shards[place.shard];
  const auto first = static_cast<std::uint64_t>(place.first);
  shard.file.write(shard.tokens_at + first * sizeof(std::uint32_t), std::as_bytes(tokens));
  shard.file.write(shard.values_at + first * sizeof(float), std::as_bytes(values));
  return digest_of_cell(cell, tokens, values);
}

void TokenDirectoryWriter::sync() const {
  for (const Shard& shard : impl_->shards) shard.file.sync();
}

std::uint64_t TokenDirectoryWriter::digest_of(std::int64_t end) const {
  std::uint64_t sum = 0;
  std::vector<std::uint32_t> tokens;
  std::vector<float> values;
  for (const std::int64_t cell : impl_->order) {  // as they lie on the disk
    if (cell >= end) continue;
    const auto at = static_cast<std::size_t>(cell);
    tokens.resize(static_cast<std::size_t>(impl_->plan.lengths[at]));
    values.resize(tokens.size());
    const Impl::Place place = impl_->places[at];
    const Shard& shard = impl_->shards[place.shard];
    const auto first = static_cast<std::uint64_t>(place.first);
    shard.file.read(shard.tokens_at + first * sizeof(std::uint32_t),
                    std::as_writable_bytes(std::span(tokens)));
    shard.file.read(shard.values_at + first * sizeof(float),
                    std::as_writable_bytes(std::span(values)));
    sum += digest_of_cell(cell, tokens, values);
  }
  return sum;
}

void TokenDirectoryWriter::finish(const std::string& manifest_json) {
  TokenManifest manifest;
  manifest.vocabulary_size = impl_->options.vocabulary_size;
  const auto count = static_cast<std::int64_t>(impl_->shards.size());
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      ShardRecord& record = impl_->shards[static_cast<std::size_t>(i)].record;
      record.hash = hash_file(impl_->folder / record.file);
    }
  });
  for (const Shard& shard : impl_->shards) {
    manifest.cells += shard.record.cells;
    manifest.tokens += shard.record.tokens;
    manifest.shards.push_back(shard.record);
  }
  write_text(impl_->folder / kManifestName, manifest_text(manifest, manifest_json));
}

}  // namespace lodestone
