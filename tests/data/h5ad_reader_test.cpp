#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "data/cell_source.h"
#include "tests/data/anndata_peer.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::ask_anndata;
using testing::expect_error;
using testing::TemporaryFolder;
using Rows = std::vector<std::vector<double>>;

// Everything of a source, read `step` cells at a time, as a dense table.
Rows read_all(CellSource& source, std::int64_t step) {
  Rows rows;
  for (std::int64_t begin = 0; begin < source.cells(); begin += step) {
    const CellBlock block = source.read(begin, std::min(begin + step, source.cells()));
    EXPECT_EQ(block.first_cell, begin);
    EXPECT_EQ(block.offsets.front(), 0);
    EXPECT_EQ(block.offsets.back(), static_cast<std::int64_t>(block.counts.size()));
    for (std::size_t row = 0; row < static_cast<std::size_t>(block.cells()); ++row) {
      std::vector<double>& dense = rows.emplace_back(source.genes().size(), 0.0);
      std::int32_t last = -1;
      for (auto i = static_cast<std::size_t>(block.offsets[row]);
           i < static_cast<std::size_t>(block.offsets[row + 1]); ++i) {
        EXPECT_GT(block.genes[i], last);
        EXPECT_NE(block.counts[i], 0.0F);
        last = block.genes[i];
        dense[static_cast<std::size_t>(last)] = static_cast<double>(block.counts[i]);
      }
    }
  }
  return rows;
}

std::map<std::string, std::vector<std::string>> labels_of(const CellSource& source) {
  std::map<std::string, std::vector<std::string>> labels;
  for (const ObsColumn& column : source.obs())
    for (const std::int32_t code : column.codes)
      labels[column.name].push_back(code < 0 ? ""
                                             : column.categories[static_cast<std::size_t>(code)]);
  return labels;
}

class H5adReaderTest : public ::testing::Test {
 protected:
  // The files that Python makes, once for all tests.
  static void SetUpTestSuite() {
    if (!testing::has_anndata()) return;
    made_ = std::make_unique<TemporaryFolder>();
    zoo_ = ask_anndata("zoo", made_->path().string());
    ask_anndata("bad", made_->path().string());
  }
  static void TearDownTestSuite() { made_.reset(); }
  void SetUp() override {
    if (!testing::has_anndata()) GTEST_SKIP() << "no Python with anndata";
  }
  static const nlohmann::json& zoo() { return zoo_; }
  static std::filesystem::path made(const std::string& name) { return *made_ / name; }

 private:
  static inline std::unique_ptr<TemporaryFolder> made_;
  static inline nlohmann::json zoo_;
};

TEST_F(H5adReaderTest, ReadsWhatAnndataWrites) {
  ASSERT_GE(zoo().size(), 38U);
  for (const nlohmann::json& expected : zoo()) {
    const auto name = expected.at("file").get<std::string>();
    SCOPED_TRACE(name);
    const std::unique_ptr<CellSource> source = open_cells(made(name), {});
    EXPECT_EQ(source->matrix(), expected.at("matrix").get<std::string>());
    EXPECT_EQ(source->cell_ids(), expected.at("cells").get<std::vector<std::string>>());
    EXPECT_EQ(source->genes()[1].id, "ENSG00000000001");
    const auto rows = expected.at("rows").get<Rows>();
    EXPECT_EQ(read_all(*source, source->block_cells()), rows);
    EXPECT_EQ(read_all(*source, 5), rows);
    using Labels = std::map<std::string, std::vector<std::string>>;
    EXPECT_EQ(labels_of(*source), expected.at("obs").get<Labels>());
    const auto symbols = expected.at("symbols").get<std::vector<std::string>>();
    for (std::size_t gene = 0; gene < symbols.size(); ++gene)
      EXPECT_EQ(source->genes()[gene].symbol, symbols[gene]);
  }
  const std::unique_ptr<CellSource> columns = open_cells(made("columns.h5ad"), {});
  for (const ObsColumn& column : columns->obs())
    EXPECT_EQ(column.numeric,
              column.name == "whole" || column.name == "real" || column.name == "maybe")
        << column.name;
}

TEST_F(H5adReaderTest, ReadsTheMatrixThatIsNamed) {
  EXPECT_EQ(open_cells(made("raw.h5ad"), {"raw/X", false})->genes().size(), 31U);
  EXPECT_EQ(open_cells(made("raw.h5ad"), {"X", true})->genes().size(), 23U);
  EXPECT_EQ(open_cells(made("layer.h5ad"), {"auto", true})->matrix(), "layers/counts");
  expect_error(ErrorKind::kBadInput, "no raw counts found: X holds the fractional value", [&] {
    open_cells(made("layer.h5ad"), {"X", false});
  });
  expect_error(ErrorKind::kBadInput, "has no matrix layers/spliced", [&] {
    open_cells(made("layer.h5ad"), {"layers/spliced", false});
  });
  expect_error(ErrorKind::kInvalidArgument, "choose auto, X, raw/X or layers/NAME", [&] {
    open_cells(made("layer.h5ad"), {"counts", false});
  });
}

TEST_F(H5adReaderTest, RefusesBadFilesWithASentence) {
  const std::pair<const char*, const char*> cases[] = {
      {"normalised", "no raw counts found: X holds the fractional value 0.8472979"},
      {"negative", "no raw counts found: X holds the negative value -2"},
      {"nan", "no raw counts found: X holds the undefined value"},
      {"infinite", "no raw counts found: X holds the infinite value"},
      {"duplicate-genes", "var: gene id 'ENSG00000000004' stands in rows 4 and 22"},
      {"index-out-of-range", "X/indices: entry 5 is 23, outside [0, 23)"},
      {"negative-index", "X/indices: entry 5 is -1, outside [0, 23)"},
      {"not-monotone", "X/indptr: is not monotone: entry 4"},
      {"short-indptr", "X/indptr: has 37 entries for 37 rows or columns, 38 are expected"},
      {"wrapped", "X/indptr: its 32-bit offsets overflowed"},
      {"short-data", "they must agree"},
      {"gene-twice", "X: cell 'cell-0' holds gene 'ENSG0000000000"},
      {"fewer-cells", "X has 37 cells, but obs has 36"},
      {"older", "re-save the file with anndata >= 0.8"},
      {"lzf", "X/data: is compressed by filter 32000 (lzf)"},
      {"no-obs", "no 'obs' in the file"},
      {"no-matrix", "has none of layers/counts, raw/X and X"},
      {"no-cells", "X is empty: 0 cells x 23 genes"},
      {"no-genes", "X is empty: 37 cells x 0 genes"},
      {"late",
       "X: cell 'cell-21', gene 'ENSG00000000870': the fractional value 0.5 is not a count"},
  };
  for (const auto& [name, sentence] : cases) {
    SCOPED_TRACE(name);
    const std::string file = std::string(name) + ".h5ad";
    expect_error(ErrorKind::kBadInput, sentence, [&] {
      const std::unique_ptr<CellSource> source = open_cells(made(file), {});
      source->read(0, source->cells());
    });
  }
  EXPECT_TRUE(open_cells(made("unknown-column.h5ad"), {})->obs().empty());
  expect_error(ErrorKind::kInvalidArgument, "cells [0, 38) of 37",
               [&] { open_cells(made("good.h5ad"), {})->read(0, 38); });
}

TEST_F(H5adReaderTest, RefusesWhatIsNoFileOrCutShort) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kBadInput, "absent.h5ad: no such file",
               [&] { open_cells(folder / "absent.h5ad", {}); });
  std::ofstream(folder / "text.h5ad") << "cells";
  expect_error(ErrorKind::kBadInput, "text.h5ad: is not a readable HDF5 file (truncated?)",
               [&] { open_cells(folder / "text.h5ad", {}); });
  std::filesystem::copy_file(made("good.h5ad"), folder / "good.h5ad");
  const auto bytes = std::filesystem::file_size(folder / "good.h5ad");
  for (const auto kept : {bytes - 1, bytes / 2, bytes / 10}) {
    std::filesystem::resize_file(folder / "good.h5ad", kept);
    expect_error(ErrorKind::kBadInput, "good.h5ad: is not a readable HDF5 file (truncated?)",
                 [&] { open_cells(folder / "good.h5ad", {}); });
  }
}

TEST_F(H5adReaderTest, SumsOfRealCellsAreThoseOfAnndata) {
  const char* given = std::getenv("LODESTONE_SHARED");
  const std::filesystem::path cells =
      std::filesystem::path(given != nullptr ? given : "../shared") / "data/cells";
  if (!std::filesystem::exists(cells)) GTEST_SKIP() << cells << " is not here";
  const nlohmann::json files = ask_anndata("sums", cells.string());
  EXPECT_FALSE(files.empty());
  for (const nlohmann::json& expected : files) {
    const auto name = expected.at("file").get<std::string>();
    SCOPED_TRACE(name);
    const std::unique_ptr<CellSource> source = open_cells(cells / name, {});
    std::int64_t entries = 0, sum = 0, by_gene = 0, by_cell = 0;
    for (std::int64_t begin = 0; begin < source->cells(); begin += 1000) {
      const CellBlock block = source->read(begin, std::min(begin + 1000, source->cells()));
      entries += block.offsets.back();
      for (std::int64_t row = 0; row < block.cells(); ++row)
        for (auto i = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(row)]);
             i < static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(row) + 1]); ++i) {
          const auto count = static_cast<std::int64_t>(block.counts[i]);
          sum += count;
          by_gene += count * (block.genes[i] + 1);
          by_cell += count * (begin + row + 1);
        }
    }
    EXPECT_EQ((std::vector{source->cells(), static_cast<std::int64_t>(source->genes().size())}),
              expected.at("shape").get<std::vector<std::int64_t>>());
    EXPECT_EQ(entries, expected.at("entries").get<std::int64_t>());
    EXPECT_EQ(sum, expected.at("sum").get<std::int64_t>());
    EXPECT_EQ(by_gene, expected.at("by_gene").get<std::int64_t>());
    EXPECT_EQ(by_cell, expected.at("by_cell").get<std::int64_t>());
  }
}

}  // namespace
}  // namespace lodestone
