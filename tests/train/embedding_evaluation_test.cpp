// Label accuracy on cells with planted clusters, in two species.
#include "train/embedding_evaluation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;
using ::testing::HasSubstr;

constexpr int kGenes = 40;  // of each species, all homologous
constexpr std::size_t kCellsOfLabel = 9;
constexpr std::size_t kHidden = 16;
using Files = std::vector<std::unique_ptr<CellSource>>;
using Labels = std::vector<std::string>;

Vocabulary make_vocabulary(bool with_homologues = true) {
  std::vector<GeneToken> tokens;
  std::vector<std::pair<std::int32_t, std::int32_t>> homologous;
  for (int i = 0; i < kGenes; ++i) {
    tokens.push_back({2 + i, human_id(i), "", Species::kHuman, "", {}});
    tokens.push_back({2 + kGenes + i, mouse_id(i), "", Species::kMouse, "", {}});
    if (with_homologues) homologous.emplace_back(2 + i, 2 + kGenes + i);
  }
  return {std::move(tokens), std::move(homologous), {}};
}

std::unique_ptr<Model> make_model(std::uint64_t seed) {
  ModelConfig c;
  c.vocabulary = 2 + 2 * kGenes;
  c.hidden = kHidden;
  c.layers = 1;
  c.heads = 2;
  c.intermediate = 24;
  c.max_positions = kGenes;
  c.prior_width = 3;
  c.use_promoter = c.use_gene_family = c.use_peca_grn = false;
  auto model = std::make_unique<Model>(c, DType::kF32, seed);
  Tensor prior = Tensor::empty({c.vocabulary, c.prior_width}, DType::kF32, Device::cpu());
  std::mt19937 random(2);
  for (float& value : prior.host<float>()) value = static_cast<float>(random() % 100) / 50 - 1;
  model->network.set_prior("co_exp", prior);
  model->network.set_homologous_index(make_vocabulary().homologous_index());
  return model;
}

// The gene that cell type "A" (0), "B" (1), ... has most of begins a block of eight.
bool is_marker(const std::string& type, int gene) {
  return !type.empty() && gene / 8 == type[0] - 'A';
}

// Cells of each of these types in turn; mouse genes of even number are all measured tenfold. The
// last cell has no label.
std::unique_ptr<MemoryCells> make_cells(const std::string& path, Species species,
                                        const Labels& types) {
  const bool human = species == Species::kHuman;
  std::vector<GeneRecord> genes;
  for (int i = 0; i < kGenes; ++i) genes.push_back({human ? human_id(i) : mouse_id(i), ""});
  std::mt19937 random(human ? 1 : 2);
  std::vector<std::vector<float>> counts;
  ObsColumn labels{"cell_type", {}, types};
  for (std::size_t i = 0; i < kCellsOfLabel * types.size(); ++i) {
    const std::size_t type = i % types.size();
    std::vector<float>& cell = counts.emplace_back();
    for (int gene = 0; gene < kGenes; ++gene) {
      const float count = static_cast<float>(random() % 4 + (is_marker(types[type], gene) ? 9 : 0));
      cell.push_back(!human && gene % 2 == 0 ? 10 * count : count);
    }
    labels.codes.push_back(static_cast<std::int32_t>(type));
  }
  labels.codes.back() = -1;
  auto cells = std::make_unique<MemoryCells>(path, genes, counts);
  cells->add_obs(std::move(labels));
  return cells;
}

// C is a human type only, D a mouse type only.
Files two_species() {
  Files files;
  files.push_back(make_cells("human.h5ad", Species::kHuman, {"A", "B", "C"}));
  files.push_back(make_cells("mouse.h5ad", Species::kMouse, {"A", "B", "D"}));
  return files;
}

EmbeddingEvaluationConfig small_config() {
  EmbeddingEvaluationConfig config;
  config.neighbours = 3;
  config.components = 4;
  return config;
}

std::vector<EmbeddingScore> evaluate(const Files& files,
                                     const EmbeddingEvaluationConfig& config = small_config()) {
  return evaluate_embedding(*make_model(3), make_vocabulary(), files, config);
}

const LabelScore& method(const EmbeddingScore& score, const std::string& name) {
  for (const LabelScore& m : score.methods)
    if (m.method == name) return m;
  throw std::out_of_range(name);
}

Labels names_of(const std::vector<EmbeddingScore>& scores) {
  Labels names;
  for (const EmbeddingScore& s : scores) names.push_back(s.reference + ">" + s.query);
  return names;
}

TEST(EmbeddingEvaluation, EveryFileAndEveryDirectionBetweenSpecies) {
  const auto scores = evaluate(two_species());
  EXPECT_THAT(names_of(scores),
              ElementsAre("human>human", "mouse>mouse", "human>mouse", "mouse>human"));
  for (const EmbeddingScore& s : scores) {
    ASSERT_EQ(s.methods.size(), 3u);
    EXPECT_EQ(s.methods[0].method, "model");
    EXPECT_EQ(s.methods[1].method, "random weights");
    EXPECT_EQ(s.methods[2].method, "PCA");
    EXPECT_EQ(s.labels, 3);
  }
}

TEST(EmbeddingEvaluation, PrincipalComponentsFindPlantedClusters) {
  for (const EmbeddingScore& s : evaluate(two_species())) {
    EXPECT_GE(method(s, "PCA").accuracy, 0.95) << s.reference << " " << s.query;
    EXPECT_GE(method(s, "PCA").macro_f1, 0.95) << s.reference << " " << s.query;
  }
}

TEST(EmbeddingEvaluation, CellsWhoseLabelIsMissingOrUnknownAreLeftOut) {
  const auto scores = evaluate(two_species());
  const auto all = static_cast<std::int64_t>(3 * kCellsOfLabel - 1);
  for (const EmbeddingScore& s : scores) {
    EXPECT_EQ(s.reference_cells, all);
    EXPECT_EQ(s.query_cells, s.reference == s.query ? all : 2 * std::int64_t{kCellsOfLabel});
  }
}

// One nearest neighbour by hand, of what embed_cells gives.
class NearestByHand {
 public:
  NearestByHand(CellSource& source, const Model& model, const EmbeddingConfig& config) {
    embed_cells(source, make_vocabulary(), model, config, [&](std::span<const float> block) {
      rows_.insert(rows_.end(), block.begin(), block.end());
    });
    for (std::size_t c = 0; c < kHidden; ++c) {
      double sum = 0;
      for (std::size_t i = c; i < rows_.size(); i += kHidden) sum += rows_[i];
      const auto mean = static_cast<float>(sum * kHidden / static_cast<double>(rows_.size()));
      for (std::size_t i = c; i < rows_.size(); i += kHidden) rows_[i] -= mean;
    }
    for (const std::int32_t code : source.obs()[0].codes)
      labels_.push_back(code < 0 ? "" : source.obs()[0].categories[static_cast<std::size_t>(code)]);
  }
  double accuracy_of(const NearestByHand& query, const Labels& known) const {
    double right = 0, count = 0;
    for (std::size_t q = 0; q < query.labels_.size(); ++q) {
      if (std::find(known.begin(), known.end(), query.labels_[q]) == known.end()) continue;
      double nearest = std::numeric_limits<double>::infinity();
      std::string label;
      for (std::size_t r = 0; r < labels_.size(); ++r) {
        if (labels_[r].empty() || (&query == this && q == r)) continue;
        double distance = 0;
        for (std::size_t c = 0; c < kHidden; ++c)
          distance += std::pow(rows_[r * kHidden + c] - query.rows_[q * kHidden + c], 2);
        if (distance < nearest) nearest = distance, label = labels_[r];
      }
      ++count;
      right += label == query.labels_[q] ? 1 : 0;
    }
    return right / count;
  }

 private:
  std::vector<float> rows_;
  Labels labels_;
};

TEST(EmbeddingEvaluation, TheModelIsScoredByItsNearestNeighbours) {
  const Files files = two_species();
  const auto model = make_model(3);
  EmbeddingEvaluationConfig config = small_config();
  config.neighbours = 1;
  config.embedding.pooling = "mean";
  const auto scores = evaluate_embedding(*model, make_vocabulary(), files, config);
  const NearestByHand human(*files[0], *model, config.embedding);
  const NearestByHand mouse(*files[1], *model, config.embedding);
  EXPECT_EQ(method(scores[0], "model").accuracy, human.accuracy_of(human, {"A", "B", "C"}));
  EXPECT_EQ(method(scores[1], "model").accuracy, mouse.accuracy_of(mouse, {"A", "B", "D"}));
  EXPECT_EQ(method(scores[2], "model").accuracy, human.accuracy_of(mouse, {"A", "B"}));
  EXPECT_EQ(method(scores[3], "model").accuracy, mouse.accuracy_of(human, {"A", "B"}));
}

TEST(EmbeddingEvaluation, RandomWeightsAreTheSameNetworkUntrained) {
  EmbeddingEvaluationConfig config = small_config();
  config.random_seed = 3;  // the model's own
  for (const EmbeddingScore& s : evaluate(two_species(), config)) {
    EXPECT_EQ(method(s, "random weights").accuracy, method(s, "model").accuracy);
    EXPECT_EQ(method(s, "random weights").macro_f1, method(s, "model").macro_f1);
  }
}

TEST(EmbeddingEvaluation, FilesOfOneSpeciesMakeNoPairs) {
  Files files;
  files.push_back(make_cells("first.h5ad", Species::kMouse, {"A", "B"}));
  files.push_back(make_cells("second.h5ad", Species::kMouse, {"A", "B"}));
  EXPECT_THAT(names_of(evaluate(files)), ElementsAre("first>first", "second>second"));
}

TEST(EmbeddingEvaluation, FilesWithoutASharedLabelMakeNoPairs) {
  Files files;
  files.push_back(make_cells("human.h5ad", Species::kHuman, {"A", "B"}));
  files.push_back(make_cells("mouse.h5ad", Species::kMouse, {"C", "D"}));
  EXPECT_THAT(names_of(evaluate(files)), ElementsAre("human>human", "mouse>mouse"));
}

TEST(EmbeddingEvaluation, FilesWithoutASharedGeneHaveNoComponentsInCommon) {
  const auto scores =
      evaluate_embedding(*make_model(3), make_vocabulary(false), two_species(), small_config());
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores[0].methods.size(), 3u);
  for (const std::size_t pair : {2u, 3u}) {
    ASSERT_EQ(scores[pair].methods.size(), 2u);
    EXPECT_EQ(scores[pair].methods[1].method, "random weights");
  }
}

TEST(EmbeddingEvaluation, FilesOfOneNameInTwoFoldersAreToldApart) {
  Files files;
  files.push_back(make_cells("a/cells.h5ad", Species::kHuman, {"A", "B"}));
  files.push_back(make_cells("b/cells.h5ad", Species::kMouse, {"A", "B"}));
  const auto scores = evaluate(files);
  EXPECT_EQ(names_of(scores)[2], "a/cells.h5ad>b/cells.h5ad");
  EXPECT_THAT(to_table(scores), HasSubstr("a/cells.h5ad (17 cells) -> b/cells.h5ad (17 cells)"));
}

TEST(EmbeddingEvaluation, AGivenSpeciesCountsForTheComponentsToo) {
  std::vector<GeneRecord> genes;
  for (int i = 0; i < 20; ++i) genes.push_back({i % 2 == 0 ? human_id(i) : mouse_id(i), ""});
  std::vector<std::vector<float>> counts;
  for (std::size_t cell = 0; cell < 12; ++cell) {
    counts.emplace_back(20, 1.0f);
    for (std::size_t gene = cell % 2; gene < 8; gene += 2)
      counts[cell][2 * (gene / 2) + 8 * (cell % 2)] = 9;
  }
  auto mixed = std::make_unique<MemoryCells>("mixed.h5ad", genes, counts);
  mixed->add_obs({"cell_type", {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, {"A", "B"}});
  Files files;
  files.push_back(std::move(mixed));
  expect_error(ErrorKind::kBadInput, "mixed.h5ad: mixes 10 human and 10 mouse genes",
               [&] { evaluate(files); });
  EmbeddingEvaluationConfig config = small_config();
  config.embedding.species = "human";
  EXPECT_EQ(method(evaluate(files, config).at(0), "PCA").accuracy, 1);
}

TEST(EmbeddingEvaluation, AMissingLabelColumnIsNamed) {
  EmbeddingEvaluationConfig config = small_config();
  config.label = "tissue";
  expect_error(ErrorKind::kBadInput, "human.h5ad: no column tissue in obs",
               [&] { evaluate(two_species(), config); });
}

// Cells that must not be read.
class UnreadCells : public MemoryCells {
 public:
  using MemoryCells::MemoryCells;
  CellBlock read(std::int64_t begin, std::int64_t end) override {
    ADD_FAILURE() << "cells were read";
    return MemoryCells::read(begin, end);
  }
};

TEST(EmbeddingEvaluation, LabelsAreLookedForBeforeAnyWork) {
  auto labelled =
      std::make_unique<UnreadCells>("first.h5ad", std::vector<GeneRecord>{{human_id(1), ""}},
                                    std::vector<std::vector<float>>{{1}, {2}});
  labelled->add_obs({"cell_type", {0, 0}, {"A"}});
  Files files;
  files.push_back(std::move(labelled));
  files.push_back(std::make_unique<MemoryCells>("second.h5ad",
                                                std::vector<GeneRecord>{{human_id(1), ""}},
                                                std::vector<std::vector<float>>{{1}, {2}}));
  expect_error(ErrorKind::kBadInput, "second.h5ad: no column cell_type in obs",
               [&] { evaluate(files); });
}

TEST(EmbeddingEvaluation, SettingsThatCannotBeAreRefused) {
  const auto refuse = [](const EmbeddingEvaluationConfig& config, const std::string& sentence) {
    expect_error(ErrorKind::kInvalidArgument, sentence, [&] { evaluate(two_species(), config); });
  };
  EmbeddingEvaluationConfig config = small_config();
  config.neighbours = 0;
  refuse(config, "neighbours: 0 were asked for");
  config.neighbours = 26;  // as many as there are labelled cells: one is left out
  refuse(config, "neighbours: 26 were asked for, there are 25");
  config = small_config();
  config.components = 0;
  refuse(config, "0 were asked for");
  config = small_config();
  config.embedding.layer = 2;
  refuse(config, "layer: expected -1 to 1, got 2");
}

TEST(EmbeddingEvaluation, MoreComponentsThanThereAreAreAllOfThem) {
  EmbeddingEvaluationConfig config = small_config();
  config.components = 1000;
  EXPECT_GE(method(evaluate(two_species(), config)[0], "PCA").accuracy, 0.8);
}

TEST(EmbeddingEvaluation, JsonAndTableSayTheSame) {
  const auto scores = evaluate(two_species());
  const auto json = nlohmann::json::parse(to_json(scores));
  const std::string table = to_table(scores);
  ASSERT_EQ(json.size(), scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const EmbeddingScore& s = scores[i];
    EXPECT_EQ(json[i]["reference"], s.reference);
    EXPECT_EQ(json[i]["query"], s.query);
    EXPECT_EQ(json[i]["reference_cells"], s.reference_cells);
    EXPECT_EQ(json[i]["query_cells"], s.query_cells);
    EXPECT_EQ(json[i]["labels"], s.labels);
    std::string lines;
    for (const LabelScore& m : s.methods) {
      EXPECT_EQ(json[i]["methods"][m.method]["accuracy"], m.accuracy);
      EXPECT_EQ(json[i]["methods"][m.method]["macro_f1"], m.macro_f1);
      lines += fmt::format("  {:<15} accuracy {:.3f}  macro-F1 {:.3f}\n", m.method, m.accuracy,
                           m.macro_f1);
    }
    EXPECT_THAT(table, HasSubstr(lines));
  }
  EXPECT_THAT(table, HasSubstr("human (26 cells, 3 labels, each cell left out)\n"));
  EXPECT_THAT(table, HasSubstr("human (26 cells) -> mouse (18 cells), 3 labels\n"));
  EXPECT_EQ(nlohmann::json::parse(to_json({})), nlohmann::json::array());
}

}  // namespace
}  // namespace lodestone
