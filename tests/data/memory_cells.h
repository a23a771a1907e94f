#pragma once
// Cells that a test makes up, behind the interface of a file.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "data/cell_source.h"
#include "engine/core/error.h"

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

// A folder that is gone after the test.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("lodestone-" + std::to_string(std::random_device()()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// The kind and the message of the Error that `call` throws; {kInternal, ""} when it throws none.
template <class Call>
std::pair<ErrorKind, std::string> error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {ErrorKind::kInternal, ""};
}

}  // namespace lodestone
