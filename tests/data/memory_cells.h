#pragma once
// Cells that a test makes up, behind the interface of a file.
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "data/cell_source.h"

namespace lodestone {

class MemoryCells : public CellSource {
 public:
  // `counts` is [cells][genes].
  MemoryCells(std::string name, std::vector<GeneRecord> genes,
              std::vector<std::vector<float>> counts)
      : path_(std::move(name)), genes_(std::move(genes)), counts_(std::move(counts)) {
    for (std::size_t i = 0; i < counts_.size(); ++i) ids_.push_back("cell" + std::to_string(i));
  }
  void add_obs(ObsColumn column) { obs_.push_back(std::move(column)); }

  const std::filesystem::path& path() const override { return path_; }
  const std::string& matrix() const override { return matrix_; }
  std::int64_t cells() const override { return static_cast<std::int64_t>(counts_.size()); }
  const std::vector<GeneRecord>& genes() const override { return genes_; }
  const std::vector<std::string>& cell_ids() const override { return ids_; }
  const std::vector<ObsColumn>& obs() const override { return obs_; }
  std::int64_t block_cells() const override { return 7; }
  CellBlock read(std::int64_t begin, std::int64_t end) override {
    CellBlock block;
    block.first_cell = begin;
    block.offsets = {0};
    for (std::int64_t cell = begin; cell < end; ++cell) {
      const std::vector<float>& row = counts_[static_cast<std::size_t>(cell)];
      for (std::size_t gene = 0; gene < row.size(); ++gene) {
        if (row[gene] == 0) continue;
        block.genes.push_back(static_cast<std::int32_t>(gene));
        block.counts.push_back(row[gene]);
      }
      block.offsets.push_back(static_cast<std::int64_t>(block.genes.size()));
    }
    return block;
  }

 private:
  std::filesystem::path path_;
  std::string matrix_ = "X";
  std::vector<GeneRecord> genes_;
  std::vector<std::vector<float>> counts_;
  std::vector<std::string> ids_;
  std::vector<ObsColumn> obs_;
};

inline std::string human_id(int number) {
  const std::string digits = std::to_string(number);
  return "ENSG" + std::string(11 - digits.size(), '0') + digits;
}
inline std::string mouse_id(int number) {
  return "ENSMUSG" + human_id(number).substr(4);
}

inline std::filesystem::path write_file(const std::filesystem::path& path,
                                        const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace lodestone
