#include "data/token_shard.h"

#include <cmath>

#include "engine/core/check.h"
#include "engine/core/threads.h"
#include "engine/io/hdf5.h"

namespace lodestone {

namespace {

constexpr std::int64_t kCellsPerThread = 256;

// Messages below take path().native(): unlike path().string() it is not copied for every number
// that is checked.

// The elements of a one-dimensional dataset where they lie in the mapped file.
template <class T>
std::span<const T> map_dataset(const hdf5::File& file, const std::string& name,
                               const MappedFile& mapped, std::int64_t expected) {
  const hdf5::Dataset dataset = file.dataset(name);
  check_input(dataset.is_stored_as(hdf5::number_of<T>()),
              "{}: has another number type than the format says; write the directory again with "
              "`lodestone tokenize`",
              dataset.where());
  check_input(dataset.shape() == std::vector<std::int64_t>{expected},
              "{}: has the shape [{}], expected [{}]", dataset.where(),
              fmt::join(dataset.shape(), ", "), expected);
  if (expected == 0) return {};
  const auto offset = static_cast<std::uint64_t>(dataset.file_offset());
  const auto bytes = static_cast<std::uint64_t>(expected) * sizeof(T);
  check_input(offset <= mapped.bytes().size() && bytes <= mapped.bytes().size() - offset,
              "{}: needs bytes {} to {} of a file of {}; it is truncated", dataset.where(), offset,
              offset + bytes, mapped.bytes().size());
  check_input(offset % alignof(T) == 0, "{}: lies at byte {}, which is not a multiple of {}",
              dataset.where(), offset, alignof(T));
  return {reinterpret_cast<const T*>(mapped.bytes().data() + offset),
          static_cast<std::size_t>(expected)};
}

}  // namespace

TokenShard::TokenShard(const std::filesystem::path& path, const ShardRecord& record,
                       std::int64_t vocabulary_size, bool verify_hash)
    : file_(path) {
  if (verify_hash) {
    const std::string found = hash_bytes(file_.bytes());
    check_input(found == record.hash,
                "{}: is corrupt: its hash is {}, the manifest says {}; write the directory again",
                path.string(), found, record.hash);
  }
  const hdf5::File file = hdf5::File::open(path);
  offsets_ = map_dataset<std::int64_t>(file, "offsets", file_, record.cells + 1);
  species_ = map_dataset<std::uint8_t>(file, "species", file_, record.cells);
  tokens_ = map_dataset<std::uint32_t>(file, "tokens", file_, record.tokens);
  values_ = map_dataset<float>(file, "values", file_, record.tokens);
  const hdf5::Dataset ids = file.dataset("cell_id");
  check_input(ids.shape() == std::vector<std::int64_t>{record.cells},
              "{}: has the shape [{}], expected [{}]", ids.where(), fmt::join(ids.shape(), ", "),
              record.cells);
  check_offsets();
  check_cells(vocabulary_size);
}

void TokenShard::check_offsets() const {
  const auto tokens = static_cast<std::int64_t>(tokens_.size());
  check_input(offsets_.front() == 0 && offsets_.back() == tokens,
              "{}: its offsets go from {} to {}, expected 0 to {}", file_.path().native(),
              offsets_.front(), offsets_.back(), tokens);
  for (std::size_t cell = 0; cell + 1 < offsets_.size(); ++cell)
    check_input(offsets_[cell] < offsets_[cell + 1],
                "{}: the offsets of cell {} are {} and {}; they must ascend, and a cell has at "
                "least one token",
                file_.path().native(), cell, offsets_[cell], offsets_[cell + 1]);
}

void TokenShard::check_cells(std::int64_t vocabulary_size) const {
  parallel_for(cells(), kCellsPerThread, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) check_cell(cell, vocabulary_size);
  });
}

void TokenShard::check_cell(std::int64_t cell, std::int64_t vocabulary_size) const {
  const auto species = species_[static_cast<std::size_t>(cell)];
  check_input(
      species <= static_cast<std::uint8_t>(Species::kMouse),
      "{}: cell {} has species {}, expected 0 (human) or 1 (mouse); write the directory again",
      file_.path().native(), cell, species);
  const CellTokens content = (*this)[cell];
  for (std::size_t i = 0; i < content.tokens.size(); ++i) {
    const std::uint32_t token = content.tokens[i];
    const float value = content.values[i];
    check_input(
        token >= kSpecialTokens && token < vocabulary_size,
        "{}: cell {} has token {} at position {}, expected {} to {}; write the directory again",
        file_.path().native(), cell, token, i, kSpecialTokens, vocabulary_size - 1);
    check_input(std::isfinite(value) && value > 0,
                "{}: cell {} has the value {} at position {}, expected a finite one above 0; write "
                "the directory again",
                file_.path().native(), cell, value, i);
    check_input(i == 0 || value <= content.values[i - 1],
                "{}: cell {} is not ranked: the value at position {} is above the one before it; "
                "write the directory again",
                file_.path().native(), cell, i);
  }
}

CellTokens TokenShard::operator[](std::int64_t cell) const {
  const auto at = static_cast<std::size_t>(cell);
  const auto begin = static_cast<std::size_t>(offsets_[at]);
  const auto count = static_cast<std::size_t>(length(cell));
  return {tokens_.subspan(begin, count), values_.subspan(begin, count),
          static_cast<Species>(species_[at])};
}

const std::string& TokenShard::cell_id(std::int64_t cell) const {
  std::call_once(cell_ids_->once, [this] {
    cell_ids_->ids = hdf5::File::open(file_.path()).dataset("cell_id").read_texts();
  });
  return cell_ids_->ids.at(static_cast<std::size_t>(cell));
}

bool TokenShard::has_column(const std::string& column) const {
  return hdf5::File::open(file_.path()).has_group("obs/" + column);
}

std::vector<std::string> TokenShard::labels(const std::string& column) const {
  const hdf5::Group group = hdf5::File::open(file_.path()).group("obs/" + column);
  const auto codes = group.dataset("codes").read<std::int64_t>();
  const auto categories = group.dataset("categories").read_texts();
  check_input(codes.size() == species_.size(), "{}: has {} codes for {} cells", group.where(),
              codes.size(), species_.size());
  std::vector<std::string> result;
  result.reserve(codes.size());
  for (const std::int64_t code : codes) {
    check_input(code >= -1 && code < static_cast<std::int64_t>(categories.size()),
                "{}: has the code {}, expected -1 to {}", group.where(), code,
                static_cast<std::int64_t>(categories.size()) - 1);
    result.push_back(code < 0 ? std::string() : categories[static_cast<std::size_t>(code)]);
  }
  return result;
}

}  // namespace lodestone
