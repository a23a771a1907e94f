#include "data/h5ad_matrix.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <utility>

#include "engine/core/check.h"

namespace lodestone {
namespace {

using hdf5::Dataset;
using hdf5::Group;
using hdf5::Kind;

constexpr std::int64_t kBlockBytes = std::int64_t{32} << 20;
constexpr std::int64_t kSamplePlaces = 32;
constexpr std::int64_t kSampleValues = 4096;  // of each place

// What a block of cells may take, given the bytes of an average cell.
std::int64_t cells_in_budget(std::int64_t cells, double bytes_per_cell,
                             std::int64_t budget = kBlockBytes) {
  const double count = static_cast<double>(budget) / std::max(bytes_per_cell, 1.0);
  return std::clamp(static_cast<std::int64_t>(std::min(count, 1e9)), std::int64_t{1},
                    std::max<std::int64_t>(cells, 1));
}

// Rows spread over the first axis of `values`, `width` of them at a place.
std::vector<float> sample_rows(const Dataset& values, std::int64_t width) {
  const std::int64_t rows = values.rows();
  std::vector<float> sample;
  std::int64_t from = 0;
  for (std::int64_t place = 0; place < kSamplePlaces && from < rows; ++place) {
    const std::int64_t end = std::min(rows, from + width);
    const std::vector<float> part = values.read_rows<float>(from, end);
    sample.insert(sample.end(), part.begin(), part.end());
    from = std::max(end, (place + 1) * (rows / kSamplePlaces));
  }
  return sample;
}

// `extent` as an axis of genes or cells that 32-bit indices can count.
void check_axis(std::int64_t extent, const char* axis, const std::string& where) {
  check_input(extent >= 0 && extent < std::numeric_limits<std::int32_t>::max(),
              "{}: {} {} are more than the 2147483646 that are supported", where, extent, axis);
}

// The three arrays of a compressed sparse matrix, compressed along `lines` (cells of a CSR matrix,
// genes of a CSC one), each line holding indices below `width`.
struct Compressed {
  Dataset data, indices;
  std::vector<std::int64_t> offsets;  // [lines + 1]
  std::int64_t lines, width;

  std::int64_t entries() const { return offsets.back(); }
};

// HDF5 type, monotony and end of an indptr array.
std::vector<std::int64_t> read_offsets(const Dataset& indptr, std::int64_t lines,
                                       std::int64_t entries) {
  check_input(indptr.kind() == Kind::kInteger, "{}: must hold integers", indptr.where());
  std::vector<std::int64_t> offsets = indptr.read<std::int64_t>();
  check_input(static_cast<std::int64_t>(offsets.size()) == lines + 1,
              "{}: has {} entries for {} rows or columns, {} are expected", indptr.where(),
              offsets.size(), lines, lines + 1);
  const bool too_long_for_32_bits =
      indptr.element_bytes() <= 4 && entries > std::numeric_limits<std::int32_t>::max();
  const bool negative = *std::min_element(offsets.begin(), offsets.end()) < 0;
  check_input(
      !negative && !too_long_for_32_bits,
      "{}: its 32-bit offsets overflowed when the file was written ({} entries are stored); "
      "write it again with 64-bit offsets",
      indptr.where(), entries);
  const auto fall = std::adjacent_find(offsets.begin(), offsets.end(), std::greater<>());
  check_input(fall == offsets.end(), "{}: is not monotone: entry {} is greater than the next",
              indptr.where(), fall - offsets.begin());
  check_input(offsets.front() == 0 && offsets.back() == entries,
              "{}: runs from {} to {}, but {} entries are stored", indptr.where(), offsets.front(),
              offsets.back(), entries);
  return offsets;
}

Compressed open_compressed(const Group& group, std::int64_t lines, std::int64_t width) {
  Dataset data = group.dataset("data"), indices = group.dataset("indices");
  check_input(indices.kind() == Kind::kInteger, "{}: must hold integers", indices.where());
  check_input(data.shape().size() == 1 && indices.shape() == data.shape(),
              "{}: data has {} entries and indices {}; they must agree", group.where(), data.size(),
              indices.size());
  std::vector<std::int64_t> offsets = read_offsets(group.dataset("indptr"), lines, data.rows());
  return {std::move(data), std::move(indices), std::move(offsets), lines, width};
}

// Entries [begin, end) of the index array. Wider integers saturate on reading, so that what does
// not fit 32 bits is out of range too.
void read_indices(const Compressed& matrix, std::int64_t begin, std::span<std::int32_t> out) {
  matrix.indices.read_rows_into(begin, out);
  const auto width = static_cast<std::uint32_t>(matrix.width);
  bool all_good = true;  // without a way out of the loop it takes vectors
  for (const std::int32_t index : out) all_good &= static_cast<std::uint32_t>(index) < width;
  if (all_good) return;
  const auto bad = std::find_if(out.begin(), out.end(), [&](std::int32_t index) {
    return static_cast<std::uint32_t>(index) >= width;
  });
  fail(ErrorKind::kBadInput, "{}: entry {} is {}, outside [0, {})", matrix.indices.where(),
       begin + (bad - out.begin()), *bad, matrix.width);
}

// Entries from `begin` on. Whole numbers are converted here: the library takes ten times as long.
void read_counts(const Dataset& data, std::int64_t begin, std::span<float> out) {
  if (!data.is_stored_as(hdf5::Number::kI32)) return data.read_rows_into<float>(begin, out);
  static_assert(sizeof(float) == sizeof(std::int32_t));
  data.read_rows_into(begin, std::span(reinterpret_cast<std::int32_t*>(out.data()), out.size()));
  for (float& count : out) count = static_cast<float>(std::bit_cast<std::int32_t>(count));
}

class CsrMatrix : public StoredMatrix {
 public:
  explicit CsrMatrix(Compressed stored) : stored_(std::move(stored)) {}
  std::int64_t cells() const override { return stored_.lines; }
  std::int64_t genes() const override { return stored_.width; }
  const char* layout() const override { return "csr"; }

  std::int64_t block_cells() const override {
    // A chunk is read whole, so a block is not shorter.
    const std::int64_t entries = std::max<std::int64_t>(stored_.entries(), 1);
    const double entry_bytes = sizeof(float) + sizeof(std::int32_t);
    return cells_in_budget(cells(),
                           entry_bytes * static_cast<double>(entries) /
                               static_cast<double>(std::max<std::int64_t>(cells(), 1)),
                           std::max(kBlockBytes, static_cast<std::int64_t>(entry_bytes) *
                                                     std::min(entries, stored_.data.chunk_rows())));
  }

  CellBlock read(std::int64_t begin, std::int64_t end) override {
    const std::int64_t first = stored_.offsets[static_cast<std::size_t>(begin)];
    CellBlock block;
    block.first_cell = begin;
    for (std::int64_t cell = begin; cell <= end; ++cell)
      block.offsets.push_back(stored_.offsets[static_cast<std::size_t>(cell)] - first);
    const auto count = static_cast<std::size_t>(block.offsets.back());
    block.genes.resize(count);
    block.counts.resize(count);
    read_indices(stored_, first, block.genes);
    read_counts(stored_.data, first, block.counts);
    return block;
  }

  std::vector<float> sample() const override { return sample_rows(stored_.data, kSampleValues); }

 private:
  Compressed stored_;
};

// Genes are compressed, cells are asked for: a block of cells is gathered in one pass over all
// entries, and kept, since callers often ask for less than a block.
class CscMatrix : public StoredMatrix {
 public:
  CscMatrix(Compressed stored, std::int64_t gathered_bytes)
      : stored_(std::move(stored)), gathered_bytes_(gathered_bytes) {}
  std::int64_t cells() const override { return stored_.width; }
  std::int64_t genes() const override { return stored_.lines; }
  const char* layout() const override { return "csc"; }

  std::int64_t block_cells() const override {
    // While a block is gathered an entry exists twice.
    const double entry_bytes = sizeof(Entry) + sizeof(float) + sizeof(std::int32_t);
    return cells_in_budget(cells(),
                           entry_bytes * static_cast<double>(stored_.entries()) /
                               static_cast<double>(std::max<std::int64_t>(cells(), 1)),
                           gathered_bytes_);
  }

  CellBlock read(std::int64_t begin, std::int64_t end) override {
    CellBlock block;
    block.first_cell = begin;
    block.offsets = {0};
    for (std::int64_t cell = begin; cell < end; ++cell) {
      const bool is_kept = cell >= kept_.first_cell && cell < kept_.first_cell + kept_.cells();
      if (!is_kept) kept_ = gather(cell - cell % block_cells());
      const auto row = static_cast<std::size_t>(cell - kept_.first_cell);
      const std::int64_t from = kept_.offsets[row], to = kept_.offsets[row + 1];
      block.genes.insert(block.genes.end(), kept_.genes.begin() + from, kept_.genes.begin() + to);
      block.counts.insert(block.counts.end(), kept_.counts.begin() + from,
                          kept_.counts.begin() + to);
      block.offsets.push_back(block.offsets.back() + to - from);
    }
    return block;
  }

  std::vector<float> sample() const override { return sample_rows(stored_.data, kSampleValues); }

 private:
  struct Entry {
    std::int32_t row, gene;
    float count;
  };

  // The block of cells that starts at `begin`.
  CellBlock gather(std::int64_t begin) const {
    const std::int64_t end = std::min(cells(), begin + block_cells());
    const std::vector<Entry> entries = entries_of(begin, end);
    CellBlock block;
    block.first_cell = begin;
    block.offsets.assign(static_cast<std::size_t>(end - begin) + 1, 0);
    for (const Entry& entry : entries) ++block.offsets[static_cast<std::size_t>(entry.row) + 1];
    for (std::size_t row = 1; row < block.offsets.size(); ++row)
      block.offsets[row] += block.offsets[row - 1];
    block.genes.resize(entries.size());
    block.counts.resize(entries.size());
    std::vector<std::int64_t> next(block.offsets.begin(), block.offsets.end() - 1);
    for (const Entry& entry : entries) {
      const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(entry.row)]++);
      block.genes[place] = entry.gene;
      block.counts[place] = entry.count;
    }
    return block;
  }

  // All entries of cells [begin, end), by gene.
  std::vector<Entry> entries_of(std::int64_t begin, std::int64_t end) const {
    constexpr std::int64_t kSlab = std::int64_t{1} << 22;
    std::vector<Entry> entries;
    std::vector<std::int32_t> cell_of(static_cast<std::size_t>(std::min(kSlab, stored_.entries())));
    std::vector<float> counts(cell_of.size());
    std::int32_t gene = 0;
    for (std::int64_t first = 0; first < stored_.entries(); first += kSlab) {
      const auto count = static_cast<std::size_t>(std::min(kSlab, stored_.entries() - first));
      read_indices(stored_, first, std::span(cell_of).first(count));
      read_counts(stored_.data, first, std::span(counts).first(count));
      for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t place = first + static_cast<std::int64_t>(i);
        while (stored_.offsets[static_cast<std::size_t>(gene) + 1] <= place) ++gene;
        if (cell_of[i] >= begin && cell_of[i] < end)
          entries.push_back({cell_of[i] - static_cast<std::int32_t>(begin), gene, counts[i]});
      }
    }
    return entries;
  }

  Compressed stored_;
  std::int64_t gathered_bytes_;
  CellBlock kept_{0, {0}, {}, {}};
};

class DenseMatrix : public StoredMatrix {
 public:
  explicit DenseMatrix(Dataset values) : values_(std::move(values)), shape_(values_.shape()) {}
  std::int64_t cells() const override { return shape_[0]; }
  std::int64_t genes() const override { return shape_[1]; }
  const char* layout() const override { return "dense"; }

  std::int64_t block_cells() const override {
    const double entry_bytes = 2 * sizeof(float) + sizeof(std::int32_t);
    const std::int64_t fit = cells_in_budget(cells(), entry_bytes * static_cast<double>(genes()));
    const std::int64_t chunk = std::max<std::int64_t>(values_.chunk_rows(), 1);
    return fit > chunk ? fit - fit % chunk : fit;
  }

  CellBlock read(std::int64_t begin, std::int64_t end) override {
    CellBlock block;
    block.first_cell = begin;
    block.offsets = {0};
    for (std::int64_t first = begin; first < end; first += block_cells())
      append_rows(first, std::min(end, first + block_cells()), block);
    return block;
  }

  std::vector<float> sample() const override { return sample_rows(values_, 1); }

 private:
  void append_rows(std::int64_t begin, std::int64_t end, CellBlock& block) const {
    const std::vector<float> values = values_.read_rows<float>(begin, end);
    const auto width = static_cast<std::size_t>(genes());
    for (std::size_t row = 0; row < static_cast<std::size_t>(end - begin); ++row) {
      for (std::size_t gene = 0; gene < width; ++gene) {
        const float value = values[row * width + gene];
        if (value == 0) continue;
        block.genes.push_back(static_cast<std::int32_t>(gene));
        block.counts.push_back(value);
      }
      block.offsets.push_back(static_cast<std::int64_t>(block.genes.size()));
    }
  }

  Dataset values_;
  std::vector<std::int64_t> shape_;
};

std::unique_ptr<StoredMatrix> open_sparse(const Group& group, std::int64_t gathered_bytes) {
  check_input(!group.has_attribute("h5sparse_format"),
              "{}: was written by anndata < 0.8; re-save the file with anndata >= 0.8",
              group.where());
  const std::string encoding = group.text_attribute("encoding-type");
  const bool is_csr = encoding == "csr_matrix";
  check_input(is_csr || encoding == "csc_matrix",
              "{}: encoding-type is '{}', expected csr_matrix or csc_matrix", group.where(),
              encoding);
  const std::vector<std::int64_t> shape = group.numbers_attribute<std::int64_t>("shape");
  check_input(shape.size() == 2, "{}: its shape must have 2 numbers, has {}", group.where(),
              shape.size());
  check_axis(shape[0], "cells", group.where());
  check_axis(shape[1], "genes", group.where());
  if (is_csr) return std::make_unique<CsrMatrix>(open_compressed(group, shape[0], shape[1]));
  return std::make_unique<CscMatrix>(open_compressed(group, shape[1], shape[0]), gathered_bytes);
}

}  // namespace

std::unique_ptr<StoredMatrix> open_matrix(const Group& root, const std::string& name,
                                          std::int64_t gathered_bytes) {
  if (root.has_group(name)) return open_sparse(root.group(name), gathered_bytes);
  Dataset values = root.dataset(name);
  const std::vector<std::int64_t> shape = values.shape();
  check_input(shape.size() == 2, "{}: a matrix of 2 axes is expected, it has {}", values.where(),
              shape.size());
  check_axis(shape[0], "cells", values.where());
  check_axis(shape[1], "genes", values.where());
  return std::make_unique<DenseMatrix>(std::move(values));
}

}  // namespace lodestone
