// A matrix stored by genes that does not fit one block: every block takes its own pass.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "data/h5ad_matrix.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::TemporaryFolder;

constexpr std::int64_t kCells = 100, kGenes = 23;

// Writes a csc_matrix of random counts; returns cell -> gene -> count.
std::map<std::int64_t, std::map<std::int32_t, float>> write_by_genes(hdf5::File& file) {
  std::mt19937 random(3);
  std::map<std::int64_t, std::map<std::int32_t, float>> cells;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> indices;
  std::vector<float> data;
  for (std::int32_t gene = 0; gene < kGenes; ++gene) {
    for (std::int32_t cell = 0; cell < kCells; ++cell) {
      if (random() % 3 != 0) continue;
      indices.push_back(cell);
      data.push_back(static_cast<float>(1 + random() % 9));
      cells[cell][gene] = data.back();
    }
    offsets.push_back(static_cast<std::int64_t>(data.size()));
  }
  hdf5::Group matrix = file.create_group("X");
  matrix.set_text_attribute("encoding-type", "csc_matrix");
  matrix.set_text_attribute("encoding-version", "0.1.0");
  matrix.set_numbers_attribute<std::int64_t>("shape", {kCells, kGenes});
  const auto entries = static_cast<std::int64_t>(data.size());
  matrix.create_numbers<float>("data", {entries}, data);
  matrix.create_numbers<std::int32_t>("indices", {entries}, indices);
  matrix.create_numbers<std::int64_t>("indptr", {kGenes + 1}, offsets);
  return cells;
}

TEST(CscBlocks, CellsOfManyBlocksAreThoseOfTheMatrix) {
  const TemporaryFolder folder;
  hdf5::File file = hdf5::File::create(folder / "cells.h5");
  auto expected = write_by_genes(file);
  for (const std::int64_t bytes : {std::int64_t{1}, std::int64_t{2000}, kGatheredBytes}) {
    const auto matrix = open_matrix(file, "X", bytes);
    EXPECT_EQ(matrix->layout(), std::string("csc"));
    if (bytes == 2000) {
      EXPECT_GT(matrix->block_cells(), 1);
      EXPECT_LT(matrix->block_cells(), kCells / 3);
    }
    // In steps that do not fit the blocks, and back again.
    for (const std::int64_t step : {1, 7, 40}) {
      for (std::int64_t begin = (kCells - 1) / step * step; begin >= 0; begin -= step) {
        const CellBlock block = matrix->read(begin, std::min(begin + step, kCells));
        ASSERT_EQ(block.cells(), std::min(step, kCells - begin));
        for (std::int64_t row = 0; row < block.cells(); ++row) {
          std::map<std::int32_t, float> cell;
          for (auto i = block.offsets[static_cast<std::size_t>(row)];
               i < block.offsets[static_cast<std::size_t>(row) + 1]; ++i)
            cell[block.genes[static_cast<std::size_t>(i)]] =
                block.counts[static_cast<std::size_t>(i)];
          EXPECT_EQ(cell, expected[begin + row]) << bytes << " bytes, cell " << begin + row;
        }
      }
    }
  }
}

}  // namespace
}  // namespace lodestone
