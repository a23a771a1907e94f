#include "data/h5ad_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "engine/io/hdf5.h"
#include "tests/data/anndata_peer.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::ask_anndata;
using ::testing::ElementsAre;
using testing::expect_error;
using testing::TemporaryFolder;
using Rows = std::vector<std::vector<double>>;

const std::vector<GeneRecord> kGenes = {
    {"ENSG00000000003", "TSPAN6"}, {"ENSG00000000005", "TNMD"}, {"ENSG00000000419", "DPM1"}};

void write_five_cells(const std::filesystem::path& path) {
  H5adWriter writer(path, kGenes, {{"chromosome", {"X", "X", "20"}}});
  writer.append({0, {0, 2, 2, 3}, {0, 2, 1}, {4, 1, 70000}});
  writer.append({3, {0, 0, 1}, {2}, {9}});
  writer.finish({"a", "b", "c", "d", "e"}, {{"cell_type", {1, 0, -1, 1, 1}, {"B", "T"}},
                                            {"species", {0, 0, 0, 0, 0}, {"human"}}});
}

std::size_t files_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST(H5adWriterTest, AnndataReadsWhatIsWritten) {
  if (!testing::has_anndata()) GTEST_SKIP() << "no Python with anndata";
  const TemporaryFolder folder;
  write_five_cells(folder / "cells.h5ad");
  const nlohmann::json seen = ask_anndata("describe", (folder / "cells.h5ad").string());
  EXPECT_EQ(seen.at("type"), "csr_matrix");
  EXPECT_EQ(seen.at("dtype"), "int32");
  EXPECT_EQ(seen.at("rows").get<Rows>(),
            (Rows{{4, 0, 1}, {0, 0, 0}, {0, 70000, 0}, {0, 0, 0}, {0, 0, 9}}));
  EXPECT_EQ(seen.at("cells"), nlohmann::json({"a", "b", "c", "d", "e"}));
  EXPECT_EQ(seen.at("genes"),
            nlohmann::json({"ENSG00000000003", "ENSG00000000005", "ENSG00000000419"}));
  EXPECT_EQ(seen.at("obs").at("cell_type"), nlohmann::json({"T", "B", "", "T", "T"}));
  EXPECT_EQ(seen.at("obs_types").at("cell_type"), "category");
  EXPECT_EQ(seen.at("var").at("chromosome"), nlohmann::json({"X", "X", "20"}));
  EXPECT_EQ(seen.at("var").at("gene_symbol"), nlohmann::json({"TSPAN6", "TNMD", "DPM1"}));
}

TEST(H5adWriterTest, OurReaderReadsWhatIsWritten) {
  const TemporaryFolder folder;
  write_five_cells(folder / "cells.h5ad");
  EXPECT_EQ(files_in(folder.path()), 1U);
  const std::unique_ptr<CellSource> source = open_cells(folder / "cells.h5ad", {});
  const CellBlock block = source->read(0, 5);
  EXPECT_THAT(block.offsets, ElementsAre(0, 2, 2, 3, 3, 4));
  EXPECT_THAT(block.genes, ElementsAre(0, 2, 1, 2));
  EXPECT_THAT(block.counts, ElementsAre(4, 1, 70000, 9));
  EXPECT_EQ(source->genes()[1].symbol, "TNMD");
  ASSERT_EQ(source->obs().size(), 2U);
  EXPECT_THAT(source->obs()[0].codes, ElementsAre(1, 0, -1, 1, 1));
  EXPECT_THAT(source->obs()[0].categories, ElementsAre("B", "T"));
}

TEST(H5adWriterTest, CodesOfManyCategoriesAreWide) {
  const TemporaryFolder folder;
  H5adWriter writer(folder / "cells.h5ad", kGenes, {});
  ObsColumn column{"name", {}, {}};
  std::vector<std::string> ids;
  CellBlock block{0, {0}, {}, {}};
  for (std::int32_t cell = 0; cell < 40000; ++cell) {
    ids.push_back("cell" + std::to_string(cell));
    column.codes.push_back(cell);
    block.genes.push_back(cell % 3);
    block.counts.push_back(1);
    block.offsets.push_back(cell + 1);
  }
  column.categories = ids;
  writer.append(block);
  writer.finish(ids, {column});
  const std::unique_ptr<CellSource> source = open_cells(folder / "cells.h5ad", {});
  EXPECT_EQ(source->obs()[0].codes, column.codes);
  EXPECT_EQ(source->read(0, 40000).genes, block.genes);
}

TEST(H5adWriterTest, NothingIsLeftWithoutFinish) {
  const TemporaryFolder folder;
  {
    H5adWriter writer(folder / "cells.h5ad", kGenes, {});
    writer.append({0, {0, 1}, {0}, {1}});
  }
  EXPECT_EQ(files_in(folder.path()), 0U);
  expect_error(ErrorKind::kInvalidArgument, "has 1 entries for 3 genes", [&] {
    H5adWriter(folder / "cells.h5ad", kGenes, {{"chromosome", {"X"}}});
  });
  EXPECT_EQ(files_in(folder.path()), 0U);
}

TEST(H5adWriterTest, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  H5adWriter writer(folder / "cells.h5ad", kGenes, {});
  const auto refuses = [&](const char* sentence, const CellBlock& block) {
    expect_error(ErrorKind::kInvalidArgument, sentence, [&] { writer.append(block); });
  };
  refuses("cell 1 is appended where cell 0 is due", {1, {0, 1}, {0}, {1}});
  refuses("the value 0.5 is not a 32-bit count", {0, {0, 1}, {0}, {0.5F}});
  refuses("gene 3 is outside [0, 3)", {0, {0, 1}, {3}, {1}});
  refuses("disagree", {0, {0, 2}, {0}, {1}});
  writer.append({0, {0, 1}, {0}, {1}});
  expect_error(ErrorKind::kInvalidArgument, "2 cell ids for 1 cells", [&] {
    writer.finish({"a", "b"}, {});
  });
}

TEST(H5adCopyTest, KeepsEverythingAndAddsTheEmbedding) {
  if (!testing::has_anndata()) GTEST_SKIP() << "no Python with anndata";
  const TemporaryFolder folder;
  ask_anndata("zoo", folder.path().string());
  for (const std::string name : {"columns", "raw"}) {
    SCOPED_TRACE(name);
    const auto input = folder / (name + ".h5ad"), output = folder / (name + "-embedded.h5ad");
    std::filesystem::permissions(input, std::filesystem::perms::owner_read);
    std::vector<float> rows(37 * 2);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = 0.5F * static_cast<float>(i);
    copy_h5ad_with_obsm(input, output, "X_lodestone", std::vector<float>(37, 1.0F), 1, "{}");
    copy_h5ad_with_obsm(output, output, "X_lodestone", rows, 2, R"({"model": "small"})");
    nlohmann::json before = ask_anndata("describe", input.string());
    nlohmann::json after = ask_anndata("describe", output.string());
    EXPECT_EQ(after.at("obsm_types").at("X_lodestone"), "float32");
    const auto embedding = after.at("obsm").at("X_lodestone").get<Rows>();
    ASSERT_EQ(embedding.size(), 37U);
    EXPECT_THAT(embedding[36], ElementsAre(36, 36.5));
    EXPECT_EQ(after.at("uns").at("X_lodestone"), R"({"model": "small"})");
    for (const char* changed : {"obsm", "obsm_types", "uns"}) {
      before.erase(changed);
      after.erase(changed);
    }
    EXPECT_EQ(after, before);
  }
}

TEST(H5adCopyTest, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  write_five_cells(folder / "cells.h5ad");
  const auto copy = [&](const char* input, const char* name, std::size_t numbers) {
    copy_h5ad_with_obsm(folder / input, folder / "out.h5ad", name, std::vector<float>(numbers), 2,
                        "{}");
  };
  expect_error(ErrorKind::kInvalidArgument, "do not fit 5 cells",
               [&] { copy("cells.h5ad", "X_lodestone", 8); });
  expect_error(ErrorKind::kInvalidArgument, "must not be empty or hold '/'",
               [&] { copy("cells.h5ad", "a/b", 10); });
  expect_error(ErrorKind::kBadInput, "absent.h5ad: no such file",
               [&] { copy("absent.h5ad", "X_lodestone", 10); });
  EXPECT_FALSE(std::filesystem::exists(folder / "out.h5ad"));
}

}  // namespace
}  // namespace lodestone
