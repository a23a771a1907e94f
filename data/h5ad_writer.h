#pragma once
// Writes what Python's anndata 0.8 and later open.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/cell_source.h"

namespace lodestone {

struct VarColumn {
  std::string name;
  std::vector<std::string> values;  // [genes]
};

// Streams cells of integer counts to a new file: X is csr_matrix, int32 data; gzip or, when the
// number of its entries is given, contiguous and uncompressed. Published whole by finish(); without
// it nothing is left behind.
class H5adWriter {
 public:
  H5adWriter(const std::filesystem::path& path, const std::vector<GeneRecord>& genes,
             const std::vector<VarColumn>& var, std::optional<std::int64_t> entries = {});
  ~H5adWriter();
  void append(const CellBlock& block);  // block.first_cell must be the number appended so far
  // obs: one entry per cell appended, written as categoricals.
  void finish(const std::vector<std::string>& cell_ids, const std::vector<ObsColumn>& obs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A copy of `input` at `output` (published whole) with a float32 matrix [cells, columns] in
// obsm/NAME and a JSON text in uns/NAME; `rows` are row-major. When the name exists it is replaced.
void copy_h5ad_with_obsm(const std::filesystem::path& input, const std::filesystem::path& output,
                         const std::string& name, std::span<const float> rows, std::int64_t columns,
                         const std::string& uns_json);

}  // namespace lodestone
