// Count matrices of .h5ad files (anndata >= 0.8). Format: anndata's file format specification.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "data/cell_source.h"
#include "data/h5ad_frame.h"
#include "data/h5ad_matrix.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/core/threads.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

using hdf5::File;

constexpr std::int64_t kCellsPerThread = 256;

bool is_valid(float value, bool allow_noninteger) {
  return std::isfinite(value) && value >= 0 && (allow_noninteger || value == std::floor(value));
}

const char* fault_of(float value) {
  if (std::isnan(value)) return "undefined";
  if (std::isinf(value)) return "infinite";
  return value < 0 ? "negative" : "fractional";
}

// The first value of a sample over the whole matrix that cannot be used.
std::optional<float> first_fault(const StoredMatrix& matrix, bool allow_noninteger) {
  for (const float value : matrix.sample())
    if (!is_valid(value, allow_noninteger)) return value;
  return std::nullopt;
}

std::vector<std::string> candidates(const File& file, const CellSourceOptions& options) {
  const std::string& wanted = options.matrix;
  if (wanted == "auto") {
    std::vector<std::string> names;
    for (const char* name : {"layers/counts", "raw/X", "X"})
      if (file.has(name)) names.emplace_back(name);
    check_input(!names.empty(), "{}: has none of layers/counts, raw/X and X", file.where());
    return names;
  }
  check(wanted == "X" || wanted == "raw/X" || (wanted.starts_with("layers/") && wanted.size() > 7),
        "matrix '{}' is unknown: choose auto, X, raw/X or layers/NAME", wanted);
  check_input(file.has(wanted), "{}: has no matrix {}", file.where(), wanted);
  return {wanted};
}

struct Choice {
  std::string name;
  std::unique_ptr<StoredMatrix> matrix;
};

// The first candidate of whole counts; else, when that is allowed, of other non-negative values.
Choice choose(const File& file, const CellSourceOptions& options) {
  std::string faults;
  std::optional<Choice> not_counts;
  for (const std::string& name : candidates(file, options)) {
    std::unique_ptr<StoredMatrix> matrix = open_matrix(file, name);
    const std::optional<float> not_a_count = first_fault(*matrix, false);
    if (!not_a_count) return {name, std::move(matrix)};
    const std::optional<float> unusable = first_fault(*matrix, true);
    const float fault = unusable.value_or(*not_a_count);
    faults += fmt::format("{}{} holds the {} value {}", faults.empty() ? "" : ", ", name,
                          fault_of(fault), fault);
    if (!unusable && !not_counts) not_counts = Choice{name, std::move(matrix)};
  }
  if (not_counts && options.allow_noninteger) return std::move(*not_counts);
  fail(ErrorKind::kBadInput,
       "{}: no raw counts found: {}; give the file with non-negative integer counts{}",
       file.where(), faults, not_counts ? ", or accept other values with --allow-noninteger" : "");
}

class H5adSource : public CellSource {
 public:
  H5adSource(const std::filesystem::path& path, const CellSourceOptions& options)
      : path_(path), file_(File::open(path)), allow_noninteger_(options.allow_noninteger) {
    const hdf5::Group obs = open_frame(file_, "obs");
    open_frame(file_, "var");  // refuses files of older anndata before anything else is read
    std::tie(name_, matrix_) = take_choice(choose(file_, options));
    genes_ = read_genes(open_frame(file_, name_ == "raw/X" ? "raw/var" : "var"));
    cell_ids_ = read_frame_index(obs);
    check_shapes();
    obs_ = read_frame_columns(obs, matrix_->cells());
    const std::unordered_set<std::string_view> unique(cell_ids_.begin(), cell_ids_.end());
    if (unique.size() < cell_ids_.size())
      log::warning("{}: {} of {} cell ids occur before", path_.string(),
                   cell_ids_.size() - unique.size(), cell_ids_.size());
    log::info("{}: reads {} ({}, {} cells x {} genes)", path_.string(), name_, matrix_->layout(),
              matrix_->cells(), matrix_->genes());
  }

  const std::filesystem::path& path() const override { return path_; }
  const std::string& matrix() const override { return name_; }
  std::int64_t cells() const override { return matrix_->cells(); }
  const std::vector<GeneRecord>& genes() const override { return genes_; }
  const std::vector<std::string>& cell_ids() const override { return cell_ids_; }
  const std::vector<ObsColumn>& obs() const override { return obs_; }
  std::int64_t block_cells() const override { return matrix_->block_cells(); }

  CellBlock read(std::int64_t begin, std::int64_t end) override {
    check(begin >= 0 && begin <= end && end <= cells(), "{}: cells [{}, {}) of {} were asked for",
          path_.string(), begin, end, cells());
    CellBlock block = matrix_->read(begin, end);
    if (is_clean(block)) return block;
    std::int64_t kept = 0;
    for (std::int64_t row = 0; row < block.cells(); ++row) kept = compact_cell(block, row, kept);
    block.offsets.back() = kept;
    block.genes.resize(static_cast<std::size_t>(kept));
    block.counts.resize(static_cast<std::size_t>(kept));
    return block;
  }

 private:
  static std::pair<std::string, std::unique_ptr<StoredMatrix>> take_choice(Choice choice) {
    return {std::move(choice.name), std::move(choice.matrix)};
  }

  void check_shapes() const {
    check_input(matrix_->cells() > 0 && matrix_->genes() > 0,
                "{}: {} is empty: {} cells x {} genes", path_.string(), name_, matrix_->cells(),
                matrix_->genes());
    check_input(matrix_->cells() == static_cast<std::int64_t>(cell_ids_.size()),
                "{}: {} has {} cells, but obs has {}", path_.string(), name_, matrix_->cells(),
                cell_ids_.size());
    check_input(matrix_->genes() == static_cast<std::int64_t>(genes_.size()),
                "{}: {} has {} genes, but its var has {}", path_.string(), name_, matrix_->genes(),
                genes_.size());
  }

  // Is there nothing to sort, to refuse or to leave out? So it is with what most programs write.
  bool is_clean(const CellBlock& block) const {
    std::atomic<bool> clean = true;
    parallel_for(block.cells(), kCellsPerThread, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end && clean; ++row)
        if (!is_clean_cell(block, static_cast<std::size_t>(row))) clean = false;
    });
    return clean;
  }

  bool is_clean_cell(const CellBlock& block, std::size_t row) const {
    const auto from = static_cast<std::size_t>(block.offsets[row]);
    const auto to = static_cast<std::size_t>(block.offsets[row + 1]);
    constexpr float kGreatest = std::numeric_limits<float>::max();
    // Sums of integers without a way out of the loops: they take vectors.
    std::int32_t faults = 0;
    for (std::size_t i = from + 1; i < to; ++i)
      faults += static_cast<std::int32_t>(block.genes[i - 1] >= block.genes[i]);
    for (std::size_t i = from; i < to; ++i) {
      const float count = block.counts[i];
      faults +=
          static_cast<std::int32_t>(!(count > 0)) + static_cast<std::int32_t>(count > kGreatest);
      faults += static_cast<std::int32_t>(!allow_noninteger_ && count != std::floor(count));
    }
    return faults == 0;
  }

  // Moves the entries of one cell to place `kept`, sorted, checked and without zeros; returns the
  // place after them. Sets the cell's first offset.
  std::int64_t compact_cell(CellBlock& block, std::int64_t row, std::int64_t kept) const {
    const auto index = static_cast<std::size_t>(row);
    const auto from = static_cast<std::size_t>(block.offsets[index]);
    const auto to = static_cast<std::size_t>(block.offsets[index + 1]);
    sort_genes(block, from, to);
    block.offsets[index] = kept;
    auto place = static_cast<std::size_t>(kept);
    for (std::size_t i = from; i < to; ++i) {
      const std::int32_t gene = block.genes[i];
      const float count = block.counts[i];
      if (!is_valid(count, allow_noninteger_)) refuse(block.first_cell + row, gene, count);
      if (i + 1 < to && block.genes[i + 1] == gene) refuse_repeated(block.first_cell + row, gene);
      if (count == 0) continue;
      block.genes[place] = gene;
      block.counts[place++] = count;
    }
    return static_cast<std::int64_t>(place);
  }

  static void sort_genes(CellBlock& block, std::size_t from, std::size_t to) {
    const auto begin = static_cast<std::ptrdiff_t>(from), end = static_cast<std::ptrdiff_t>(to);
    if (std::is_sorted(block.genes.begin() + begin, block.genes.begin() + end)) return;
    std::vector<std::pair<std::int32_t, float>> entries;
    for (std::size_t i = from; i < to; ++i) entries.emplace_back(block.genes[i], block.counts[i]);
    std::sort(entries.begin(), entries.end());
    for (std::size_t i = from; i < to; ++i)
      std::tie(block.genes[i], block.counts[i]) = entries[i - from];
  }

  [[noreturn]] void refuse(std::int64_t cell, std::int32_t gene, float value) const {
    fail(ErrorKind::kBadInput,
         "{}: {}: cell '{}', gene '{}': the {} value {} is not a count; give the file with raw "
         "counts",
         path_.string(), name_, cell_ids_[static_cast<std::size_t>(cell)],
         genes_[static_cast<std::size_t>(gene)].id, fault_of(value), value);
  }

  [[noreturn]] void refuse_repeated(std::int64_t cell, std::int32_t gene) const {
    fail(ErrorKind::kBadInput, "{}: {}: cell '{}' holds gene '{}' twice", path_.string(), name_,
         cell_ids_[static_cast<std::size_t>(cell)], genes_[static_cast<std::size_t>(gene)].id);
  }

  std::filesystem::path path_;
  File file_;
  bool allow_noninteger_;
  std::string name_;
  std::unique_ptr<StoredMatrix> matrix_;
  std::vector<GeneRecord> genes_;
  std::vector<std::string> cell_ids_;
  std::vector<ObsColumn> obs_;
};

}  // namespace

std::unique_ptr<CellSource> open_cells(const std::filesystem::path& path,
                                       const CellSourceOptions& options) {
  return std::make_unique<H5adSource>(path, options);
}

}  // namespace lodestone
