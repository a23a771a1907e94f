// The model and every baseline against small computations from the tokens themselves.
#include "train/pretraining_evaluation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/data/token_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::expect_error;
using ::testing::HasSubstr;

constexpr std::int64_t kPositions = 20;  // of the model: the longest cells have 30 genes

std::unique_ptr<Model> make_model(std::int64_t vocabulary = testing::kVocabulary) {
  ModelConfig c;
  c.vocabulary = vocabulary;
  c.hidden = 16;
  c.layers = 1;
  c.heads = 2;
  c.intermediate = 24;
  c.max_positions = kPositions;
  c.initializer_range = 0.3;
  c.use_promoter = c.use_co_exp = c.use_gene_family = c.use_peca_grn = false;
  return std::make_unique<Model>(c, DType::kF32, 5);
}

// What may be known of a gene, from the training cells.
struct GeneFacts {
  double count = 0, sum = 0;
};

class PretrainingEvaluation : public ::testing::Test {
 protected:
  PretrainingEvaluation()
      : cells_(testing::make_directory(folder_ / "tokens", 240, 30)),
        split_(split_cells(cells_.cells(), 0.3, 4)),
        model_(make_model()) {
    batches_.mask_probability = 0.8;  // long gaps, and cells that show nothing
    batches_.seed = 4;
    for (const std::int64_t index : split_.training) {
      const CellTokens cell = cells_[index];
      for (std::int64_t k = 0; k < kept(index); ++k) {
        const auto at = static_cast<std::size_t>(k);
        const auto gene = static_cast<std::int32_t>(cell.tokens[at]);
        for (GeneFacts* facts : {&by_gene_[{cell.species, gene}], &by_species_[cell.species]}) {
          facts->count += 1;
          facts->sum += cell.values[at];
        }
      }
    }
  }

  std::int64_t kept(std::int64_t cell) const { return std::min(cells_.length(cell), kPositions); }
  MaskedCell masked(std::int64_t cell) const {
    return mask_cell(cells_[cell], kept(cell), cell, 0, batches_.mask_probability,
                     testing::kVocabulary, batches_.seed);
  }
  // The positions of a held-out cell that show <mask>.
  std::vector<std::size_t> hidden_positions(const MaskedCell& cell) const {
    std::vector<std::size_t> hidden;
    for (const std::int32_t k : cell.positions)
      if (cell.genes[static_cast<std::size_t>(k)] == kMaskToken)
        hidden.push_back(static_cast<std::size_t>(k));
    return hidden;
  }
  // Mean of score(cell index, position) over all of them.
  template <class Score>
  double mean(Score&& score) const {
    double sum = 0, count = 0;
    for (const std::int64_t cell : split_.held_out)
      for (const std::size_t k : hidden_positions(masked(cell))) sum += score(cell, k), ++count;
    return sum / count;
  }

  GeneFacts facts(Species species, std::int32_t gene) const {
    const auto found = by_gene_.find({species, gene});
    return found == by_gene_.end() ? GeneFacts{} : found->second;
  }
  GeneFacts all() const {
    const GeneFacts &human = by_species_.at(Species::kHuman),
                    &mouse = by_species_.at(Species::kMouse);
    return {human.count + mouse.count, human.sum + mouse.sum};
  }
  std::int32_t gene_at(std::int64_t cell, std::size_t k) const {
    return static_cast<std::int32_t>(cells_[cell].tokens[k]);
  }
  double gene_mean(std::int64_t cell, std::size_t k) const {
    const GeneFacts own = facts(cells_[cell].species, gene_at(cell, k));
    return own.count > 0 ? own.sum / own.count : all().sum / all().count;
  }
  double error(std::int64_t cell, std::size_t k, double guess) const {
    return std::pow(cells_[cell].values[k] - guess, 2);
  }
  PretrainingScore evaluate() const {
    return evaluate_pretraining(*model_, cells_, split_, batches_);
  }

  testing::TemporaryFolder folder_;
  TokenDirectory cells_;
  Split split_;
  LoaderConfig batches_;
  std::unique_ptr<Model> model_;
  std::map<std::pair<Species, std::int32_t>, GeneFacts> by_gene_;
  std::map<Species, GeneFacts> by_species_;
};

TEST_F(PretrainingEvaluation, CountsWhatItLookedAt) {
  const PretrainingScore score = evaluate();
  EXPECT_EQ(score.training_cells, static_cast<std::int64_t>(split_.training.size()));
  EXPECT_EQ(score.held_out_cells, static_cast<std::int64_t>(split_.held_out.size()));
  std::size_t positions = 0, chosen = 0;
  for (const std::int64_t cell : split_.held_out) {
    positions += hidden_positions(masked(cell)).size();
    chosen += masked(cell).positions.size();
  }
  EXPECT_EQ(score.positions, static_cast<std::int64_t>(positions));
  EXPECT_LT(positions, chosen);
}

TEST_F(PretrainingEvaluation, GeneFrequenciesHaveOneCountAdded) {
  const PretrainingScore score = evaluate();
  const double genes = testing::kVocabulary - kSpecialTokens;
  EXPECT_NEAR(score.gene_frequency, mean([&](std::int64_t cell, std::size_t k) {
                const std::int32_t gene = gene_at(cell, k);
                const double count =
                    facts(Species::kHuman, gene).count + facts(Species::kMouse, gene).count;
                return -std::log((count + 1) / (all().count + genes));
              }),
              1e-9);
  EXPECT_NEAR(score.gene_species_frequency, mean([&](std::int64_t cell, std::size_t k) {
                const Species species = cells_[cell].species;
                const double count = facts(species, gene_at(cell, k)).count;
                return -std::log((count + 1) / (by_species_.at(species).count + genes));
              }),
              1e-9);
  EXPECT_GT(std::abs(score.gene_frequency - score.gene_species_frequency), 1e-6);
}

TEST_F(PretrainingEvaluation, GeneMeansAreOfTheCellsSpecies) {
  double unseen = 0;
  const double expected = mean([&](std::int64_t cell, std::size_t k) {
    unseen += facts(cells_[cell].species, gene_at(cell, k)).count == 0 ? 1 : 0;
    return error(cell, k, gene_mean(cell, k));
  });
  EXPECT_GT(unseen, 0);
  EXPECT_LT(unseen, static_cast<double>(evaluate().positions));
  EXPECT_NEAR(evaluate().value_gene_mean, expected, 1e-9 * expected);
}

TEST_F(PretrainingEvaluation, InterpolatesBetweenTheNearestValuesShown) {
  int both = 0, one = 0, none = 0;
  const double expected = mean([&](std::int64_t cell, std::size_t k) {
    const MaskedCell shown = masked(cell);
    const auto place = static_cast<double>(k);
    double left = -1, right = -1;  // places of the neighbours, -1 = there is none
    for (std::size_t i = 0; i < shown.values.size(); ++i) {
      if (shown.values[i] < 0) continue;
      if (i < k) left = static_cast<double>(i);
      if (i > k && right < 0) right = static_cast<double>(i);
    }
    const auto value = [&](double i) { return cells_[cell].values[static_cast<std::size_t>(i)]; };
    if (left < 0 && right < 0) return ++none, error(cell, k, gene_mean(cell, k));
    if (left < 0 || right < 0) return ++one, error(cell, k, value(std::max(left, right)));
    const double share = (place - left) / (right - left);
    return ++both, error(cell, k, (1 - share) * value(left) + share * value(right));
  });
  EXPECT_GT(both, 10);
  EXPECT_GT(one, 10);
  EXPECT_GT(none, 0);
  EXPECT_NEAR(evaluate().value_interpolation, expected, 1e-9 * expected);
}

// The losses of single cells, with the rows that show <mask> alone.
TEST_F(PretrainingEvaluation, TheModelIsScoredWhereMaskIsShown) {
  const NoGrad no_grad;
  double id = 0, value = 0, positions = 0;
  for (const std::int64_t index : split_.held_out) {
    const MaskedCell shown = masked(index);
    std::vector<std::int32_t> rows, labels;
    std::vector<float> value_labels;
    for (const std::size_t k : hidden_positions(shown)) {
      rows.push_back(static_cast<std::int32_t>(k));
      labels.push_back(gene_at(index, k));
      value_labels.push_back(cells_[index].values[k]);
    }
    if (rows.empty()) continue;
    const auto species = static_cast<std::int32_t>(cells_[index].species);
    const Batch batch = {Tensor::from(shown.genes),
                         Tensor::from(shown.values),
                         Tensor::from(std::vector<std::int64_t>{0, kept(index)}),
                         Tensor::from(std::vector<std::int32_t>{species}),
                         Tensor::from(std::vector<std::int64_t>{0}),
                         Tensor::from(rows),
                         Tensor::from(labels),
                         Tensor::from(value_labels)};
    const TokenTable table = model_->network.token_table({&batch, 1}, ForwardContext{});
    const Losses losses = model_->network.losses(batch, table, ForwardContext{}, batch.chosen());
    id += losses.id_sum();
    value += losses.value_sum();
    positions += static_cast<double>(rows.size());
  }
  const PretrainingScore score = evaluate();
  EXPECT_NEAR(score.gene_model, id / positions, 1e-6 * id / positions);
  EXPECT_NEAR(score.value_model, value / positions, 1e-6 * value / positions);
}

TEST_F(PretrainingEvaluation, DoesNotDependOnMicroBatches) {
  const PretrainingScore whole = evaluate();
  batches_.micro_batch_tokens = 35;
  std::vector<std::int64_t> done;
  const PretrainingScore cut = evaluate_pretraining(*model_, cells_, split_, batches_,
                                                    [&](std::int64_t cells, std::int64_t total) {
                                                      EXPECT_EQ(total, whole.held_out_cells);
                                                      done.push_back(cells);
                                                    });
  EXPECT_GT(done.size(), 3u);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), whole.held_out_cells);
  EXPECT_EQ(cut.positions, whole.positions);
  EXPECT_NEAR(cut.gene_model, whole.gene_model, 1e-6 * whole.gene_model);
  EXPECT_NEAR(cut.value_model, whole.value_model, 1e-6 * whole.value_model);
  EXPECT_NEAR(cut.value_interpolation, whole.value_interpolation, 1e-9 * whole.value_interpolation);
}

TEST_F(PretrainingEvaluation, LengthsAreThoseOfTheRunWhereTheModelHasMorePositions) {
  const std::int64_t all = evaluate().positions;
  batches_.max_length = kPositions - 5;
  EXPECT_LT(evaluate().positions, all);
}

TEST_F(PretrainingEvaluation, JsonAndTableSayTheSame) {
  const PretrainingScore score = evaluate();
  const auto json = nlohmann::json::parse(score.json());
  EXPECT_EQ(json["training_cells"], score.training_cells);
  EXPECT_EQ(json["held_out_cells"], score.held_out_cells);
  EXPECT_EQ(json["positions"], score.positions);
  EXPECT_EQ(json["gene_cross_entropy"]["model"], score.gene_model);
  EXPECT_EQ(json["gene_cross_entropy"]["gene_frequency"], score.gene_frequency);
  EXPECT_EQ(json["gene_cross_entropy"]["species_gene_frequency"], score.gene_species_frequency);
  EXPECT_EQ(json["value_squared_error"]["model"], score.value_model);
  EXPECT_EQ(json["value_squared_error"]["gene_mean"], score.value_gene_mean);
  EXPECT_EQ(json["value_squared_error"]["neighbour_interpolation"], score.value_interpolation);
  const std::string table = score.table();
  EXPECT_THAT(table, HasSubstr(fmt::format("{} positions", score.positions)));
  EXPECT_THAT(table, HasSubstr(fmt::format("(nats)      model {:.4f}\n", score.gene_model)));
  EXPECT_THAT(table, HasSubstr(fmt::format("frequency {:.4f}\n", score.gene_frequency)));
  EXPECT_THAT(table, HasSubstr(fmt::format("per species {:.4f}\n", score.gene_species_frequency)));
  EXPECT_THAT(table, HasSubstr(fmt::format("error            model {:.4f}\n", score.value_model)));
  EXPECT_THAT(table, HasSubstr(fmt::format("gene {:.4f}\n", score.value_gene_mean)));
  EXPECT_THAT(table, HasSubstr(fmt::format("neighbours {:.5f}\n", score.value_interpolation)));
}

TEST_F(PretrainingEvaluation, RefusesWhatCannotBeEvaluated) {
  const auto refuse = [&](ErrorKind kind, const std::string& sentence, const Model& model,
                          const Split& split) {
    expect_error(kind, sentence, [&] { evaluate_pretraining(model, cells_, split, batches_); });
  };
  refuse(ErrorKind::kInvalidArgument, "leaves 0 training and 2 held-out cells", *model_,
         {{}, {0, 1}});
  refuse(ErrorKind::kInvalidArgument, "leaves 2 training and 0 held-out cells", *model_,
         {{0, 1}, {}});
  refuse(ErrorKind::kInvalidArgument, "the model was made for 501 tokens", *make_model(501),
         split_);
  model_->store.at("bert.embeddings.position_embeddings.weight").master.host<float>()[0] =
      std::numeric_limits<float>::quiet_NaN();
  model_->store.publish_masters();
  refuse(ErrorKind::kNumeric, "a loss is not finite", *model_, split_);
  batches_.mask_probability = 0;
  refuse(ErrorKind::kBadInput, "no position of the held-out cells shows <mask>", *model_, split_);
}

}  // namespace
}  // namespace lodestone
