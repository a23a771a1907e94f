// The files of a simulation: the same bytes for the same seed, readable by us and by Python.
#include "data/simulator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <thread>

#include "data/cell_source.h"
#include "data/gene_table.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "tests/data/anndata_peer.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::TemporaryFolder;

const std::set<std::string> kFiles = {"human.h5ad",      "mouse.h5ad",      "orthologs.tsv",
                                      "genes_human.tsv", "genes_mouse.tsv", "truth.h5"};

SimulationConfig small_config() {
  SimulationConfig config;
  config.cells = 120;
  config.genes = 150;
  config.transcription_factors = 20;
  config.depth = 500;
  config.perturbations = 2;
  config.doses = 2;
  return config;
}

TEST(Simulator, TheSameSeedGivesTheSameBytesAndAnotherOthers) {
  const TemporaryFolder folder;
  SimulationConfig config = small_config();
  const SimulationReport report = simulate(config, folder / "a");
  EXPECT_EQ(report.cells, 240);
  // HDF5 would store times in seconds.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  simulate(config, folder / "b");
  config.seed = 43;
  simulate(config, folder / "c");
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder / "a"))
    found.insert(entry.path().filename().string());
  EXPECT_EQ(found, kFiles);
  for (const std::string& name : kFiles) {
    EXPECT_EQ(hash_file(folder / "a" / name), hash_file(folder / "b" / name)) << name;
    if (name.ends_with(".h5ad") || name.ends_with(".h5")) {
      EXPECT_NE(hash_file(folder / "a" / name), hash_file(folder / "c" / name)) << name;
    }
  }
}

TEST(Simulator, WritesCellsWithLabelsAndCounts) {
  const TemporaryFolder folder;
  const SimulationConfig config = small_config();
  const SimulationReport report = simulate(config, folder / "out");
  double counts = 0;
  for (const char* species : {"human", "mouse"}) {
    const auto source = open_cells(folder / "out" / (std::string(species) + ".h5ad"), {});
    EXPECT_EQ(source->cells(), 120);
    ASSERT_EQ(source->genes().size(), 150u);
    EXPECT_EQ(source->cell_ids()[119], std::string(species) + "_120");
    std::set<std::string> columns;
    for (const ObsColumn& column : source->obs()) {
      columns.insert(column.name);
      EXPECT_EQ(column.codes.size(), 120u);
      if (column.name == "species") {
        EXPECT_EQ(column.categories, std::vector<std::string>{species});
      }
      if (column.name == "dose") {
        EXPECT_EQ(column.categories, (std::vector<std::string>{"0", "0.5", "1"}));
      }
    }
    for (const char* name : {"cell_type", "batch", "species", "perturbation", "dose"})
      EXPECT_TRUE(columns.contains(name)) << name;
    for (float count : source->read(0, 120).counts) counts += static_cast<double>(count);
  }
  EXPECT_EQ(counts, report.counts);
}

TEST(Simulator, ManyBlocksAreOneMatrix) {
  // 20,000 genes make blocks of 50 cells.
  const TemporaryFolder folder;
  SimulationConfig config = small_config();
  config.cells = 70;
  config.genes = 20'000;
  std::vector<std::int64_t> seen;
  simulate(config, folder / "out", {}, [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 140);
    seen.push_back(done);
  });
  EXPECT_EQ(seen, (std::vector<std::int64_t>{50, 70, 120, 140}));
  EXPECT_EQ(open_cells(folder / "out" / "mouse.h5ad", {})->read(0, 70).cells(), 70);
}

TEST(Simulator, PlainCountsAreTheSameCounts) {
  const TemporaryFolder folder;
  simulate(small_config(), folder / "gzip");
  simulate(small_config(), folder / "plain", {.compress = false});
  const auto plain = hdf5::File::open(folder / "plain" / "human.h5ad");
  EXPECT_EQ(plain.dataset("X/data").chunk_rows(), 0);
  EXPECT_GT(plain.dataset("X/data").file_offset(), 0);
  for (const char* species : {"human", "mouse"}) {
    const std::string name = std::string(species) + ".h5ad";
    const CellBlock expected = open_cells(folder / "gzip" / name, {})->read(0, 120);
    const CellBlock found = open_cells(folder / "plain" / name, {})->read(0, 120);
    EXPECT_EQ(found.offsets, expected.offsets);
    EXPECT_EQ(found.genes, expected.genes);
    EXPECT_EQ(found.counts, expected.counts);
  }
}

TEST(Simulator, ContinuesAfterItWasCutShort) {
  const TemporaryFolder folder;
  SimulationConfig config = small_config();
  config.cells = 170;
  config.genes = 20'000;  // blocks of 50 cells
  simulate(config, folder / "undisturbed");
  const SimulateOptions options{.save_cells = 1};
  const auto cut_at = [&](std::int64_t cells, std::int64_t from) {
    std::int64_t first = -1;
    const auto stop = [&](std::int64_t done, std::int64_t) {
      if (first < 0) first = done;
      if (done >= cells) throw std::runtime_error("cut short");
    };
    EXPECT_THROW(simulate(config, folder / "out", options, stop), std::runtime_error);
    EXPECT_FALSE(fs::exists(folder / "out"));
    EXPECT_TRUE(fs::exists(folder / "out.partial"));
    EXPECT_GT(first, from);
  };
  cut_at(100, 0);
  cut_at(150, 50);
  cut_at(270, 100);
  std::int64_t first = -1;
  simulate(config, folder / "out", options, [&](std::int64_t done, std::int64_t) {
    if (first < 0) first = done;
  });
  EXPECT_GT(first, 170) << "the first species was kept";
  EXPECT_FALSE(fs::exists(folder / "out.partial"));
  for (const std::string& name : kFiles)
    EXPECT_EQ(hash_file(folder / "out" / name), hash_file(folder / "undisturbed" / name)) << name;
}

TEST(Simulator, WritesTablesThatTheReadersTake) {
  const TemporaryFolder folder;
  simulate(small_config(), folder / "out");
  const OrthologTable orthologs = read_ortholog_table(folder / "out" / "orthologs.tsv");
  EXPECT_EQ(orthologs.one_to_one.size(), 120u);
  EXPECT_GT(orthologs.not_one_to_one, 0);
  EXPECT_EQ(orthologs.skipped, 0);
  const GeneTable genes = read_gene_table(folder / "out" / "genes_mouse.tsv");
  EXPECT_EQ(genes.genes.size(), 150u);
  EXPECT_EQ(genes.skipped, 0);
  EXPECT_EQ(genes.genes[0].id, "ENSMUSG90000000001");
  EXPECT_FALSE(genes.genes[0].biotype.empty());
}

TEST(Simulator, WritesTheTruth) {
  const TemporaryFolder folder;
  simulate(small_config(), folder / "out");
  const hdf5::File truth = hdf5::File::open(folder / "out" / "truth.h5");
  EXPECT_EQ(truth.dataset("homologues/human").rows(), 120);
  for (const std::string species : {"human", "mouse"}) {
    const hdf5::Group group = truth.group(species);
    EXPECT_EQ(group.dataset("activity").shape(), (std::vector<std::int64_t>{6, 20}));
    EXPECT_EQ(group.dataset("mean_expression").shape(), (std::vector<std::int64_t>{6, 150}));
    double sum = 0;
    for (double mean : group.dataset("mean_expression").read<double>()) sum += mean;
    EXPECT_NEAR(sum, 6 * 500, 1e-6);
    EXPECT_EQ(group.dataset("edges/tf").rows(), group.dataset("edges/weight").rows());
    // The labels of the cells are what the truth says.
    const auto source = open_cells(folder / "out" / (species + ".h5ad"), {});
    for (const ObsColumn& column : source->obs()) {
      if (column.name == "cell_type") {
        EXPECT_EQ(column.codes, group.dataset("cells/cell_type").read<std::int32_t>());
      }
      if (column.name == "perturbation") {
        EXPECT_EQ(column.categories[1], group.dataset("perturbations/name").read_texts()[0]);
      }
    }
  }
}

TEST(Simulator, RefusesBadOptionsAndAnExistingDirectory) {
  const TemporaryFolder folder;
  SimulationConfig config = small_config();
  config.cells = -1;
  expect_error(ErrorKind::kInvalidArgument, "cells must be",
               [&] { simulate(config, folder / "out"); });
  EXPECT_FALSE(fs::exists(folder / "out"));
  simulate(small_config(), folder / "out");
  expect_error(ErrorKind::kInvalidArgument, "out",
               [&] { simulate(small_config(), folder / "out"); });
  EXPECT_NO_THROW(simulate(small_config(), folder / "out", {.replace = true}));
}

TEST(Simulator, PythonsAnndataOpensIt) {
  if (!testing::has_anndata()) GTEST_SKIP() << testing::python() << " has no anndata";
  const TemporaryFolder folder;
  const SimulationReport report = simulate(small_config(), folder / "out");
  std::ofstream(folder / "check.py") << R"(
import sys, anndata
total = 0
for species in ("human", "mouse"):
    cells = anndata.read_h5ad(f"{sys.argv[1]}/{species}.h5ad")
    assert cells.shape == (120, 150), cells.shape
    assert set(cells.obs["species"]) == {species}
    assert cells.obs["cell_type"].nunique() == 6
    assert "lncRNA" in set(cells.var["biotype"])
    assert (cells.obs["dose"] == "0").equals(cells.obs["perturbation"] == "control")
    total += cells.X.sum()
assert total == float(sys.argv[2]), total
)";
  const std::string command = testing::python() + " " + (folder / "check.py").string() + " " +
                              (folder / "out").string() + " " + std::to_string(report.counts);
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace lodestone
