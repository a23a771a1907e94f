#include "data/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "data/cell_tokenizer.h"
#include "data/token_directory.h"
#include "engine/io/files.h"
#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;
using testing::TemporaryFolder;

using Files = std::vector<std::unique_ptr<CellSource>>;
using Ranked = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // token, bits of its value

// `genes` genes of each species; every third one of both is homologous; every fifth is not coding,
// genes 1 and 2 are mitochondrial.
Vocabulary two_species(int genes) {
  std::vector<GeneToken> tokens;
  std::vector<std::pair<std::int32_t, std::int32_t>> homologous;
  for (const Species species : {Species::kHuman, Species::kMouse}) {
    const bool human = species == Species::kHuman;
    for (int i = 0; i < genes; ++i) {
      const auto id = static_cast<std::int32_t>(kSpecialTokens + tokens.size());
      tokens.push_back({id,
                        human ? human_id(i) : mouse_id(i),
                        i == 1 || i == 2 ? (human ? "MT-A" : "mt-A") : "A",
                        species,
                        i % 5 == 0 ? "lncRNA" : "protein_coding",
                        {}});
      // Against the order of ids, so that ties show which of the two ids they are broken by.
      if (!human && i % 3 == 0) homologous.emplace_back(kSpecialTokens + genes - 1 - i, id);
    }
  }
  return {std::move(tokens), std::move(homologous), {}};
}

std::vector<GeneRecord> records(Species species, int genes) {
  std::vector<GeneRecord> result;
  for (int i = 0; i < genes; ++i)
    result.push_back({species == Species::kHuman ? human_id(i) : mouse_id(i), ""});
  return result;
}

std::vector<std::vector<float>> random_counts(int cells, int genes, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<float>> counts;
  for (int cell = 0; cell < cells; ++cell) {
    const unsigned long depth = cell % 29 == 0 ? 90 : 3 + random() % 5;
    auto& row = counts.emplace_back();
    for (int gene = 0; gene < genes; ++gene)
      row.push_back(random() % 3 == 0 ? 0 : static_cast<float>(random() % depth));
    if (cell % 41 == 1) row[2] += 400;                                // mitochondrial
    if (cell % 37 == 2) std::fill(row.begin(), row.end(), 0.0f);      // empty
    if (cell % 31 == 3) std::fill(row.begin() + 8, row.end(), 0.0f);  // few genes
  }
  return counts;
}

std::map<std::string, Ranked> ranked_cells(const std::filesystem::path& directory) {
  const TokenDirectory tokens(directory);
  std::map<std::string, Ranked> cells;
  for (std::int64_t cell = 0; cell < tokens.cells(); ++cell) {
    Ranked& ranked = cells[tokens.cell_id(cell)];
    const CellTokens genes = tokens[cell];
    for (std::size_t i = 0; i < genes.tokens.size(); ++i)
      ranked.emplace_back(genes.tokens[i], std::bit_cast<std::uint32_t>(genes.values[i]));
  }
  return cells;
}

void write_peer_input(const std::filesystem::path& folder, CellSource& cells,
                      const Vocabulary& vocabulary) {
  const GeneMapping mapping = map_genes(cells, vocabulary, {});
  std::string matrix, genes;
  for (std::int64_t cell = 0; cell < cells.cells(); ++cell) {
    const CellBlock block = cells.read(cell, cell + 1);
    std::vector<double> row(static_cast<std::size_t>(mapping.genes()));
    for (std::size_t i = 0; i < block.genes.size(); ++i)
      row[static_cast<std::size_t>(block.genes[i])] = static_cast<double>(block.counts[i]);
    matrix += fmt::format("{}\n", fmt::join(row, "\t"));
  }
  for (std::size_t gene = 0; gene < mapping.own_token.size(); ++gene) {
    const std::int32_t own = mapping.own_token[gene];
    genes +=
        fmt::format("{}\t{}\t{}\t{}\n", own < 0 ? -1 : vocabulary.written_id(vocabulary.token(own)),
                    own, mapping.coding[gene], mapping.mitochondrial[gene]);
  }
  write_file(folder / "matrix.tsv", matrix);
  write_file(folder / "genes.tsv", genes);
}

// What tests/data/tokenizer_peer.py makes of the cells, by cell id.
std::map<std::string, Ranked> peer_cells(const std::filesystem::path& folder, CellSource& cells,
                                         const Vocabulary& vocabulary, bool normalise) {
  write_peer_input(folder, cells, vocabulary);
  const char* python = std::getenv("LODESTONE_PYTHON");
  const std::string command =
      fmt::format("{} tests/data/tokenizer_peer.py {} {}{}", python ? python : "/usr/bin/python3",
                  folder.string(), (folder / "peer.txt").string(), normalise ? " normalise" : "");
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::map<std::string, Ranked> result;
  std::istringstream lines(read_text(folder / "peer.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::size_t cell = 0;
    words >> cell;
    Ranked& ranked = result[cells.cell_ids()[cell]];
    std::uint32_t token = 0, bits = 0;
    for (char colon = 0; words >> token >> colon >> bits;) ranked.emplace_back(token, bits);
  }
  return result;
}

bool has_numpy() {
  const char* python = std::getenv("LODESTONE_PYTHON");
  return std::system(
             fmt::format("{} -c 'import numpy' 2> /dev/null", python ? python : "/usr/bin/python3")
                 .c_str()) == 0;
}

TEST(CellTokenizer, ValuesRanksAndTies) {
  Vocabulary vocabulary = two_species(6);
  vocabulary.set_median(kSpecialTokens + 1, 4);
  const MemoryCells cells("cells.h5ad", records(Species::kHuman, 6), {});
  const CellTokenizer tokenizer(map_genes(cells, vocabulary, {}), vocabulary, {});
  const std::vector<std::int32_t> genes = {0, 1, 2, 4};
  const std::vector<float> counts = {1, 4, 7, 1};
  const RankedGenes ranked = tokenizer(genes, counts, 13);
  EXPECT_THAT(ranked.tokens, ElementsAre(4, 2, 3, 6));
  EXPECT_THAT(ranked.values, ElementsAre(3, 1, 1, 1));
  EXPECT_FALSE(ranked.truncated);
}

TEST(CellTokenizer, MouseGenesAreWrittenWithTheHumanToken) {
  Vocabulary vocabulary = two_species(6);
  vocabulary.set_median(kSpecialTokens + 5, 100);    // the human homologue of mouse gene 0
  vocabulary.set_median(kSpecialTokens + 6 + 0, 2);  // mouse gene 0
  const MemoryCells cells("cells.h5ad", records(Species::kMouse, 6), {});
  const CellTokenizer tokenizer(map_genes(cells, vocabulary, {}), vocabulary,
                                {.normalise_total = true, .target_total = 100, .max_length = 1});
  const std::vector<std::int32_t> genes = {0, 1};
  const std::vector<float> counts = {6, 1};
  const RankedGenes ranked = tokenizer(genes, counts, 100);
  EXPECT_THAT(ranked.tokens, ElementsAre(kSpecialTokens + 5));
  EXPECT_THAT(ranked.values, ElementsAre(2));
  EXPECT_TRUE(ranked.truncated);
}

TEST(Tokenizer, EqualsTheSpecificationInNumpy) {
  if (!has_numpy()) GTEST_SKIP() << "no Python with numpy";
  for (const Species species : {Species::kHuman, Species::kMouse}) {
    for (const bool normalise : {false, true}) {
      const TemporaryFolder folder;
      Vocabulary vocabulary = two_species(120);
      auto genes = records(species, 120);
      genes[17].id = "spike-in";
      genes[23].id += "9";  // not in the vocabulary
      genes[2].symbol = "ignored";
      Files files;
      files.push_back(
          std::make_unique<MemoryCells>("cells.h5ad", genes, random_counts(150, 120, 5)));
      TokenizeConfig config;
      config.normalise_total = normalise;
      const TokenizeReport report = tokenize(files, vocabulary, config, folder / "tokens", false);
      const auto ours = ranked_cells(folder / "tokens");
      const auto peers = peer_cells(folder.path(), *files[0], vocabulary, normalise);
      EXPECT_EQ(ours, peers);
      EXPECT_EQ(report.cells(), static_cast<std::int64_t>(peers.size()));
      const FileReport& file = report.files[0];
      EXPECT_GT(file.no_counts, 0);
      EXPECT_GT(file.total_outliers, 0);
      EXPECT_GT(file.mitochondrial_outliers, 0);
      EXPECT_GT(file.few_genes, 0);
      EXPECT_EQ(file.cells, file.kept + file.no_counts + file.total_outliers +
                                file.mitochondrial_outliers + file.few_genes);
      EXPECT_EQ(file.mapped, 118);
      EXPECT_EQ(nlohmann::json::parse(report.json())["cells"], report.cells());
    }
  }
}

TEST(Tokenizer, RealCellsEqualTheSpecificationInNumpy) {
  const char* shared = std::getenv("LODESTONE_SHARED");
  const auto path = std::filesystem::path(shared ? shared : "../shared") /
                    "data/cells/mouse_pancreas_e15_50cells.h5ad";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no cells at " << path;
  if (!has_numpy()) GTEST_SKIP() << "no Python with numpy";
  const TemporaryFolder folder;
  Files files;
  files.push_back(open_cells(path, {}));
  std::vector<GeneToken> tokens;  // every second gene of the file
  for (std::size_t i = 0; i < files[0]->genes().size(); i += 2) {
    const GeneRecord& gene = files[0]->genes()[i];
    tokens.push_back({static_cast<std::int32_t>(kSpecialTokens + tokens.size()),
                      gene.id,
                      gene.symbol,
                      Species::kMouse,
                      gene.biotype,
                      {}});
  }
  Vocabulary vocabulary(std::move(tokens), {}, {});
  TokenizeConfig config;
  config.min_mapped = 0.2;
  tokenize(files, vocabulary, config, folder / "tokens", false);
  EXPECT_EQ(ranked_cells(folder / "tokens"),
            peer_cells(folder.path(), *files[0], vocabulary, false));
}

TEST(Tokenizer, MediansAreOfTheCorpusAndOfTheOwnGene) {
  const TemporaryFolder folder;
  Vocabulary vocabulary = two_species(10);
  Files files;
  for (const Species species : {Species::kHuman, Species::kMouse}) {
    for (const float count : {2.0f, 6.0f}) {
      const float value = species == Species::kHuman ? count : 10 * count;
      files.push_back(std::make_unique<MemoryCells>(
          "cells.h5ad", records(species, 10),
          std::vector<std::vector<float>>(3, std::vector<float>(10, value))));
    }
  }
  const TokenizeReport report = tokenize(files, vocabulary, {}, folder / "fitted", false);
  EXPECT_EQ(report.medians, "fitted");
  EXPECT_EQ(report.genes_with_median, 20);
  EXPECT_EQ(vocabulary.token(kSpecialTokens + 4).median, 4);
  EXPECT_EQ(vocabulary.token(kSpecialTokens + 14).median, 40);
  EXPECT_EQ(Vocabulary::load(folder / "fitted/vocab.json").token(kSpecialTokens).median, 4);
  EXPECT_EQ(report.files[0].notes.size(), 2u) << "neither quantity has any spread";

  EXPECT_EQ(tokenize(files, vocabulary, {}, folder / "kept", false).medians, "vocabulary");
  EXPECT_EQ(ranked_cells(folder / "fitted"), ranked_cells(folder / "kept"));
  TokenizeConfig config;
  config.medians = write_file(folder / "m.tsv", "gene\tmedian\n" + human_id(4) + "\t3\n");
  EXPECT_EQ(tokenize(files, vocabulary, config, folder / "given", false).medians, "m.tsv");
  EXPECT_EQ(vocabulary.token(kSpecialTokens + 4).median, 3);
  EXPECT_FALSE(vocabulary.token(kSpecialTokens).median);
}

Files one_file(std::vector<std::vector<float>> counts) {
  auto cells = std::make_unique<MemoryCells>("folder/some.h5ad", records(Species::kHuman, 10),
                                             std::move(counts));
  cells->add_obs({"cell_type", {0, -1}, {"T cell"}});
  cells->add_obs({"n_counts", {0, 1}, {"1", "2"}, true});
  Files files;
  files.push_back(std::move(cells));
  return files;
}

TEST(Tokenizer, LabelsOfCells) {
  const TemporaryFolder folder;
  Vocabulary vocabulary = two_species(10);
  const Files files = one_file(std::vector<std::vector<float>>(2, std::vector<float>(10, 3)));
  const TokenizeReport report = tokenize(files, vocabulary, {}, folder / "tokens", false);
  EXPECT_THAT(report.obs, ElementsAre("dataset", "species", "cell_type"));
  const TokenDirectory tokens(folder / "tokens");
  EXPECT_THAT(tokens.labels("dataset"), ElementsAre("some", "some"));
  EXPECT_THAT(tokens.labels("species"), ElementsAre("human", "human"));
  const bool in_order = tokens.cell_id(0) == "cell0";
  EXPECT_EQ(tokens.labels("cell_type")[in_order ? 0 : 1], "T cell");
  EXPECT_EQ(tokens.labels("cell_type")[in_order ? 1 : 0], "");
  TokenizeConfig config;
  config.obs = {"n_counts"};
  EXPECT_THAT(tokenize(files, vocabulary, config, folder / "chosen", false).obs,
              ElementsAre("dataset", "species", "n_counts"));
  config.obs = {"tissue"};
  expect_error(ErrorKind::kInvalidArgument, "no file has a column 'tissue'",
               [&] { tokenize(files, vocabulary, config, folder / "x", false); });
}

TEST(Tokenizer, ContinuesAfterItWasCutShort) {
  const TemporaryFolder folder;
  Files files;
  for (const Species species : {Species::kHuman, Species::kMouse})
    files.push_back(
        std::make_unique<MemoryCells>("cells.h5ad", records(species, 120),
                                      random_counts(150, 120, static_cast<unsigned>(species))));
  TokenizeConfig config;
  config.cells_per_shard = 60;
  config.save_cells = 10;
  const auto run = [&](const std::string& out, const TokenizeConfig& with,
                       const TokenizeProgress& progress) {
    Vocabulary vocabulary = two_species(120);
    return tokenize(files, vocabulary, with, folder / out, false, progress);
  };
  const TokenizeReport expected = run("undisturbed", config, {});
  // 3 passes over 300 cells: in the first, between files, in the second, and twice in the third.
  for (const std::int64_t cut : {100, 160, 400, 680, 860}) {
    const auto stop = [&](std::int64_t done, std::int64_t total) {
      EXPECT_EQ(total, 900);
      if (done >= cut) throw std::runtime_error("cut short");
    };
    EXPECT_THROW(run("out", config, stop), std::runtime_error);
    EXPECT_FALSE(std::filesystem::exists(folder / "out"));
    EXPECT_TRUE(std::filesystem::exists(folder / "out.partial"));
  }
  std::vector<std::int64_t> steps;
  std::int64_t last = 0;
  const TokenizeReport report = run("out", config, [&](std::int64_t done, std::int64_t) {
    steps.push_back(done - std::exchange(last, done));
  });
  EXPECT_EQ(last, 900);
  EXPECT_GE(std::count(steps.begin(), steps.end(), 150), 4)
      << "quality control and medians are not done again";
  EXPECT_EQ(report.json(), expected.json());
  for (const auto& entry : std::filesystem::directory_iterator(folder / "undisturbed"))
    EXPECT_EQ(hash_file(entry.path()), hash_file(folder / "out" / entry.path().filename()))
        << entry.path();
  EXPECT_FALSE(std::filesystem::exists(folder / "out.partial"));

  // Damaged work, and that of other settings, is not used.
  const auto cut_late = [](std::int64_t done, std::int64_t) {
    if (done >= 860) throw std::runtime_error("cut short");
  };
  EXPECT_THROW(run("damaged", config, cut_late), std::runtime_error);
  {
    std::fstream shard(folder / "damaged.partial/output/shard-00000.h5",
                       std::ios::in | std::ios::out | std::ios::binary);
    shard.seekp(3000);
    shard.write("damage", 6);
  }
  run("damaged", config, {});
  EXPECT_EQ(ranked_cells(folder / "damaged"), ranked_cells(folder / "out"));
  EXPECT_THROW(run("other", config, cut_late), std::runtime_error);
  config.max_length = 40;
  EXPECT_EQ(run("other", config, {}).files[0].longest, 40);
}

TEST(Tokenizer, BadInputsAreRefused) {
  const TemporaryFolder folder;
  Vocabulary vocabulary = two_species(10);
  const auto refuses = [&](ErrorKind kind, const std::string& sentence, const Files& files,
                           const TokenizeConfig& config = {}) {
    expect_error(kind, sentence,
                 [&] { tokenize(files, vocabulary, config, folder / "tokens", false); });
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  };
  const auto empty = std::vector<std::vector<float>>(2, std::vector<float>(10, 0));
  refuses(ErrorKind::kBadInput, "quality control left none of the cells", one_file(empty));
  Files unknown;
  auto genes = records(Species::kHuman, 10);
  for (std::size_t i = 1; i < genes.size(); ++i) genes[i].id = human_id(1000 + static_cast<int>(i));
  const auto full = std::vector<std::vector<float>>(2, std::vector<float>(10, 3));
  unknown.push_back(std::make_unique<MemoryCells>("cells.h5ad", genes, full));
  refuses(ErrorKind::kBadInput, "cells.h5ad: only 10.0 % of its counts", unknown);
  genes[0].id = human_id(1000);
  Files foreign;
  foreign.push_back(std::make_unique<MemoryCells>("cells.h5ad", genes, full));
  refuses(ErrorKind::kBadInput, "none of its 10 genes is in the vocabulary", foreign);
  TokenizeConfig config;
  config.medians = "vocabulary";
  refuses(ErrorKind::kInvalidArgument, "which has none", one_file(full), config);
  config = {};
  config.min_mapped = 2;
  refuses(ErrorKind::kInvalidArgument, "min_mapped is 2", one_file(full), config);
  config = {};
  config.species = "rat";
  refuses(ErrorKind::kInvalidArgument, "species is 'rat'", one_file(full), config);
  refuses(ErrorKind::kInvalidArgument, "at least one file", {});
}

}  // namespace
}  // namespace lodestone
