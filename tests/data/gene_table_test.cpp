#include "data/gene_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>

#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

TEST(GeneTable, ReadsIdsSymbolsAndBiotypes) {
  const TemporaryFolder folder;
  const GeneTable table = read_gene_table(
      write_file(folder / "genes.tsv",
                 "Ensembl_ID\tsymbol\tbiotype\r\nENSG00000000001.4\tA\tprotein_coding\r\n"
                 "\tB\tmiRNA\r\nENSMUSG00000000002\tC\t\r\nnot_an_id\tD\tlncRNA\r\n"));
  ASSERT_EQ(table.genes.size(), 2u);
  EXPECT_EQ(table.genes[0].id, "ENSG00000000001");
  EXPECT_EQ(table.genes[0].symbol, "A");
  EXPECT_EQ(table.genes[0].biotype, "protein_coding");
  EXPECT_EQ(table.genes[1].species, Species::kMouse);
  EXPECT_EQ(table.genes[1].biotype, "");
  EXPECT_EQ(table.skipped, 2);
}

TEST(GeneTable, FlagsStandForBiotypes) {
  const TemporaryFolder folder;
  const GeneTable table = read_gene_table(write_file(
      folder / "genes.tsv", "gene_id\tis_protein_coding\tis_mirna\n" + human_id(1) + "\t1\t0\n" +
                                human_id(2) + "\t0\t1\n" + human_id(3) + "\t0\t0\n"));
  ASSERT_EQ(table.genes.size(), 3u);
  EXPECT_EQ(table.genes[0].biotype, "protein_coding");
  EXPECT_EQ(table.genes[1].biotype, "miRNA");
  EXPECT_EQ(table.genes[2].biotype, "other");
}

TEST(GeneTable, ReadsGzip) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "genes.tsv.gz";
  const std::string text = "gene_id\tsymbol\n" + human_id(1) + "\tA\n";
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  EXPECT_EQ(read_gene_table(path).genes.at(0).symbol, "A");
}

TEST(GeneTable, BadTablesAreRefusedByName) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& sentence, const std::string& text) {
    const auto path = write_file(folder / "genes.tsv", text);
    expect_error(ErrorKind::kBadInput, sentence, [&] { read_gene_table(path); });
  };
  refuses("genes.tsv line 3: gene ENSG00000000001 stands on line 2 already",
          "gene_id\tsymbol\n" + human_id(1) + "\tA\n" + human_id(1) + ".2\tB\n");
  refuses("no column with the Ensembl ids; expected a header with one of ensembl_id",
          "name\tcolour\nA\tred\n");
  refuses("is empty", "");
  refuses("is no text table", "\x89HDF\r\n\x1a\n");
  refuses("line 2: has 1 tab-separated fields, the header has 2",
          "gene_id\tsymbol\n" + human_id(1) + "\n");
  refuses("no row has a human or mouse Ensembl gene id", "gene_id\nA\nB\n");
  refuses("column is_mirna is 'maybe', expected 0 or 1",
          "gene_id\tis_mirna\n" + human_id(1) + "\tmaybe\n");
  expect_error(ErrorKind::kBadInput, "absent.tsv", [&] { read_gene_table(folder / "absent.tsv"); });
}

TEST(GeneTable, OfCellsRefusesTheSameGeneTwice) {
  const MemoryCells good("cells.h5ad", {{human_id(1) + ".3", "A", "miRNA"}, {"x", ""}}, {});
  const GeneTable table = genes_of(good);
  EXPECT_EQ(table.genes.at(0).id, human_id(1));
  EXPECT_EQ(table.genes.at(0).biotype, "miRNA");
  EXPECT_EQ(table.skipped, 1);
  const MemoryCells bad("cells.h5ad", {{human_id(1), "A"}, {human_id(1) + ".2", "B"}}, {});
  expect_error(ErrorKind::kBadInput, "cells.h5ad: columns ENSG00000000001 and ENSG00000000001.2",
               [&] { genes_of(bad); });
}

TEST(OrthologTable, FlaggedOrDerived) {
  const TemporaryFolder folder;
  const std::string rows[] = {human_id(1) + "\t" + mouse_id(1), human_id(2) + "\t" + mouse_id(2),
                              human_id(2) + "\t" + mouse_id(3), human_id(4) + "\t"};
  std::string derived = "human_id\tmouse_id\n", flagged = "human_id\tmouse_id\tone2one\n";
  for (const std::string& row : rows) {
    derived += row + "\n";
    flagged += row + (row == rows[2] ? "\t0\n" : "\t1\n");
  }
  const OrthologTable from_ids = read_ortholog_table(write_file(folder / "derived.tsv", derived));
  ASSERT_EQ(from_ids.one_to_one.size(), 1u);
  EXPECT_EQ(from_ids.one_to_one[0].mouse, mouse_id(1));
  EXPECT_EQ(from_ids.not_one_to_one, 2);
  EXPECT_EQ(from_ids.skipped, 1);
  const OrthologTable from_flags = read_ortholog_table(write_file(folder / "flagged.tsv", flagged));
  ASSERT_EQ(from_flags.one_to_one.size(), 2u);
  EXPECT_EQ(from_flags.one_to_one[1].mouse, mouse_id(2));
}

TEST(OrthologTable, ContradictingFlagsAreRefused) {
  const TemporaryFolder folder;
  const auto path = write_file(folder / "o.tsv", "human_id\tmouse_id\tone2one\n" + human_id(1) +
                                                     "\t" + mouse_id(1) + "\t1\n" + human_id(1) +
                                                     "\t" + mouse_id(2) + "\t1\n");
  expect_error(ErrorKind::kBadInput,
               "line 3: gene ENSG00000000001 has a one-to-one ortholog on line 2",
               [&] { read_ortholog_table(path); });
}

TEST(GeneTable, ThePublishedTables) {
  const char* shared = std::getenv("LODESTONE_SHARED");
  const std::filesystem::path genes =
      std::filesystem::path(shared ? shared : "../shared") / "data/genes";
  if (!std::filesystem::exists(genes)) GTEST_SKIP() << "no gene tables at " << genes;
  EXPECT_EQ(read_gene_table(genes / "genes_human.tsv.gz").genes.size(), 78894u);
  EXPECT_EQ(read_gene_table(genes / "genes_mouse.tsv.gz").genes.size(), 78317u);
  const OrthologTable orthologs = read_ortholog_table(genes / "orthologs_human_mouse.tsv.gz");
  EXPECT_EQ(orthologs.one_to_one.size(), 16415u);
  EXPECT_EQ(orthologs.skipped, 1755);
}

}  // namespace
}  // namespace lodestone
