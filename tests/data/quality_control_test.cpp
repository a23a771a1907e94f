#include "data/quality_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

using ::testing::Each;
using testing::expect_error;

constexpr int kGenes = 12;

// Genes 0 .. 9 coding, 10 mitochondrial, 11 not in the vocabulary.
Vocabulary vocabulary_of(const std::string& biotype) {
  std::vector<GeneToken> tokens;
  for (int i = 0; i < kGenes - 1; ++i)
    tokens.push_back({kSpecialTokens + i,
                      human_id(i),
                      i == 10 ? "MT-X" : "G",
                      Species::kHuman,
                      i == 10 ? (biotype.empty() ? "" : "Mt_rRNA") : biotype,
                      {}});
  return {std::move(tokens), {}, {}};
}

std::vector<GeneRecord> records() {
  std::vector<GeneRecord> genes;
  for (int i = 0; i < kGenes; ++i) genes.push_back({human_id(i), i == 10 ? "wrong" : "g"});
  return genes;
}

// Ten cells alike but for a few counts.
std::vector<std::vector<float>> similar_cells(int cells) {
  std::vector<std::vector<float>> counts;
  for (int cell = 0; cell < cells; ++cell) {
    std::vector<float> row(kGenes, 10);
    row[0] += static_cast<float>(cell % 3);
    row[10] += static_cast<float>(cell % 2);
    counts.push_back(row);
  }
  return counts;
}

QualityControl control(std::vector<std::vector<float>> counts, const Vocabulary& vocabulary) {
  MemoryCells cells("cells.h5ad", records(), std::move(counts));
  return control_quality(cells, map_genes(cells, vocabulary, {}), {});
}

TEST(QualityControl, SpreadIsOfThePopulation) {
  const Spread spread = spread_of({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(spread.mean, 5);
  EXPECT_EQ(spread.deviation, 2);
  EXPECT_EQ(spread_of({0.1, 0.1, 0.1}).deviation, 0);
  EXPECT_EQ(spread_of({}).deviation, 0);
}

TEST(QualityControl, EachReason) {
  auto counts = similar_cells(40);
  counts[3].assign(kGenes, 0);
  counts[5][0] = 5000;  // the total
  counts[8][10] += 60;  // the mitochondrial share, hardly the total
  counts[8][1] -= 9, counts[8][2] -= 9, counts[8][3] -= 9, counts[8][4] -= 9;
  counts[8][5] -= 9, counts[8][6] -= 9;
  counts[9] = similar_cells(1)[0];
  for (const std::size_t gene : {1, 2, 3, 4}) counts[9][gene] = 0;
  counts[9][0] += 40;  // six coding genes left
  const QualityControl result = control(counts, vocabulary_of("protein_coding"));
  EXPECT_EQ(result.verdicts[3], Verdict::kNoCounts);
  EXPECT_EQ(result.verdicts[5], Verdict::kTotal);
  EXPECT_EQ(result.verdicts[8], Verdict::kMitochondrial);
  EXPECT_EQ(result.verdicts[9], Verdict::kFewGenes);
  EXPECT_EQ(result.count(Verdict::kKept), 36);
  EXPECT_LT(result.mapped_counts, result.counts);
}

TEST(QualityControl, SevenCodingGenesAreEnough) {
  auto counts = similar_cells(40);
  for (const std::size_t gene : {1, 2, 3}) counts[4][gene] = 0;
  counts[4][0] += 30;
  EXPECT_EQ(control(counts, vocabulary_of("miRNA")).verdicts[4], Verdict::kKept);
  EXPECT_EQ(control(counts, vocabulary_of("lncRNA")).count(Verdict::kFewGenes), 40);
}

TEST(QualityControl, WithoutSpreadNothingIsDropped) {
  const std::vector<std::vector<float>> counts(9, std::vector<float>(kGenes, 3));
  const QualityControl result = control(counts, vocabulary_of(""));
  EXPECT_THAT(result.verdicts, Each(Verdict::kKept));
  EXPECT_EQ(result.total.deviation, 0);
  EXPECT_EQ(result.mitochondrial.deviation, 0);
  EXPECT_DOUBLE_EQ(result.mitochondrial.mean, 1.0 / kGenes);
}

TEST(GeneMapping, OfAFile) {
  const Vocabulary vocabulary = vocabulary_of("miRNA");
  std::vector<GeneRecord> genes = records();
  genes[0].id += ".7";
  genes.push_back({"spike-in", "mt-Z"});
  const GeneMapping mapping =
      map_genes(MemoryCells("cells.h5ad", genes, {}), vocabulary, Species::kMouse);
  EXPECT_EQ(mapping.own_token[0], kSpecialTokens);
  EXPECT_EQ(mapping.own_token[11], -1);
  EXPECT_TRUE(mapping.mitochondrial[10]) << "the vocabulary's symbol counts";
  EXPECT_TRUE(mapping.mitochondrial[12]) << "else the file's";
  EXPECT_FALSE(mapping.coding[10]);
  EXPECT_EQ(mapping.mapped, 11);
  EXPECT_EQ(mapping.not_in_vocabulary, 1);
  EXPECT_EQ(mapping.not_ensembl, 1);
  EXPECT_EQ(mapping.species, Species::kMouse);
  EXPECT_EQ(mapping.species_source, "option");
}

TEST(GeneMapping, SpeciesOfTheCells) {
  const Vocabulary vocabulary = vocabulary_of("miRNA");
  MemoryCells cells("cells.h5ad", records(), similar_cells(2));
  EXPECT_EQ(map_genes(cells, vocabulary, {}).species_source, "gene ids");
  EXPECT_EQ(map_genes(cells, vocabulary, {}).species, Species::kHuman);
  cells.add_obs({"organism", {0, -1}, {"Mus musculus", "rat"}});
  EXPECT_EQ(map_genes(cells, vocabulary, {}).species, Species::kMouse);
  MemoryCells inconsistent("cells.h5ad", records(), similar_cells(2));
  inconsistent.add_obs({"species", {0, 1}, {"human", "mouse"}});
  EXPECT_EQ(map_genes(inconsistent, vocabulary, {}).species_source, "gene ids");
}

TEST(GeneMapping, BadFilesAreRefused) {
  const Vocabulary vocabulary = vocabulary_of("miRNA");
  const auto refuses = [&](const std::string& sentence, const std::vector<GeneRecord>& genes) {
    expect_error(ErrorKind::kBadInput, sentence,
                 [&] { map_genes(MemoryCells("cells.h5ad", genes, {}), vocabulary, {}); });
  };
  refuses("cells.h5ad: none of its 1 genes is in the vocabulary", {{human_id(500), ""}});
  refuses("found 'ACTB'", {{"ACTB", "ACTB"}});
  refuses("none of its 0 genes", {});
  refuses("same gene", {{human_id(1), ""}, {human_id(1) + ".1", ""}});
  refuses("mixes 1 human and 1 mouse genes", {{human_id(1), ""}, {mouse_id(2), ""}});
}

}  // namespace
}  // namespace lodestone
