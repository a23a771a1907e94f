#pragma once
// Cells x genes count matrices, whatever file they come from, read in blocks of cells.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lodestone {

// As the file has them.
struct GeneRecord {
  std::string id;            // the var index, or the column that holds Ensembl ids
  std::string symbol;        // empty when the file has none
  std::string biotype = {};  // likewise
};

// Cells first_cell .. first_cell + cells() in CSR form: genes ascending within a cell, no stored
// zeros.
struct CellBlock {
  std::int64_t first_cell = 0;
  std::vector<std::int64_t> offsets;  // [cells + 1], offsets[0] = 0
  std::vector<std::int32_t> genes;    // [nnz] columns of the file
  std::vector<float> counts;          // [nnz] > 0
  std::int64_t cells() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
};

// A column of labels per cell; numbers and booleans are kept as their text.
struct ObsColumn {
  std::string name;
  std::vector<std::int32_t> codes;  // [cells], -1 = missing
  std::vector<std::string> categories;
  bool numeric = false;  // the file holds numbers, not labels
};

struct CellSourceOptions {
  std::string matrix = "auto";  // auto | X | raw/X | layers/NAME. auto: the first of layers/counts,
                                // raw/X, X that holds non-negative integers; the choice is logged
  bool allow_noninteger = false;  // accept a matrix that is not counts (never negative or NaN)
};

class CellSource {
 public:
  virtual ~CellSource() = default;
  virtual const std::filesystem::path& path() const = 0;
  virtual const std::string& matrix() const = 0;  // the one chosen, e.g. "raw/X"
  virtual std::int64_t cells() const = 0;
  virtual const std::vector<GeneRecord>& genes() const = 0;
  virtual const std::vector<std::string>& cell_ids() const = 0;
  virtual const std::vector<ObsColumn>& obs() const = 0;
  // Cells [begin, end). Cheapest in ascending order. Every value is checked: a negative, NaN,
  // infinite or (unless allowed) fractional one throws kBadInput naming file, matrix, cell and
  // gene.
  virtual CellBlock read(std::int64_t begin, std::int64_t end) = 0;
  // Cells per read that keep memory bounded whatever the layout of the file.
  virtual std::int64_t block_cells() const = 0;
};

// Opens an .h5ad file (anndata >= 0.8: CSR, CSC or dense; see the file's comment).
std::unique_ptr<CellSource> open_cells(const std::filesystem::path& path,
                                       const CellSourceOptions& options);

}  // namespace lodestone
