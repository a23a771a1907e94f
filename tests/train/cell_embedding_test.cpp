// Cells embedded from counts against the network applied to genes ranked here, cell by cell.
#include "train/cell_embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <utility>

#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;
using ::testing::HasSubstr;

constexpr int kHumanGenes = 30, kMouseGenes = 8, kHomologues = 4;
constexpr std::size_t kCells = 17, kFull = 5, kOnlyUnknown = 3, kEmpty = 9;
constexpr std::int64_t kPositions = 12;

// Human tokens 2 .. 31, mouse tokens 32 .. 39; the first four mouse genes are written as human.
Vocabulary make_vocabulary() {
  std::vector<GeneToken> tokens;
  std::vector<std::pair<std::int32_t, std::int32_t>> homologous;
  for (int i = 0; i < kHumanGenes; ++i)
    tokens.push_back({2 + i, human_id(i), "", Species::kHuman, "", 1 + 0.5 * (i % 5)});
  for (int i = 0; i < kMouseGenes; ++i)
    tokens.push_back({2 + kHumanGenes + i, mouse_id(i), "", Species::kMouse, "", {}});
  for (int i = 0; i < kHomologues; ++i) homologous.emplace_back(2 + i, 2 + kHumanGenes + i);
  return {std::move(tokens), std::move(homologous), {}};
}

ModelConfig small_config(bool with_cls = true) {
  ModelConfig c;
  c.vocabulary = 2 + kHumanGenes + kMouseGenes;
  c.hidden = 16;
  c.layers = 2;
  c.heads = 2;
  c.intermediate = 24;
  c.max_positions = kPositions;
  c.prior_width = 5;
  c.initializer_range = 0.3;
  c.use_cls_token = with_cls;
  return c;
}

std::unique_ptr<Model> make_model(const ModelConfig& config, DType dtype = DType::kF32) {
  auto model = std::make_unique<Model>(config, dtype, 11);
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal;
  for (const std::string& prior : config.priors()) {
    Tensor table =
        Tensor::empty({config.vocabulary, config.prior_width}, DType::kF32, Device::cpu());
    for (float& value : table.host<float>()) value = normal(random);
    model->network.set_prior(prior, table);
  }
  model->network.set_homologous_index(make_vocabulary().homologous_index());
  return model;
}

// Counts [cell][gene] of `genes` known genes and one that the vocabulary lacks, in the last column.
std::vector<std::vector<float>> make_counts(int genes) {
  std::mt19937 random(3);
  std::vector<std::vector<float>> counts(kCells,
                                         std::vector<float>(static_cast<std::size_t>(genes) + 1));
  for (auto& cell : counts)
    for (float& count : cell) count = random() % 3 == 0 ? static_cast<float>(1 + random() % 9) : 0;
  for (float& count : counts[kFull]) count += 1;
  for (const std::size_t cell : {kOnlyUnknown, kEmpty})
    std::fill(counts[cell].begin(), counts[cell].end(), 0.0f);
  counts[kOnlyUnknown].back() = 6;
  return counts;
}

MemoryCells make_source(Species species = Species::kHuman) {
  const bool human = species == Species::kHuman;
  const int genes = human ? kHumanGenes : kMouseGenes;
  std::vector<GeneRecord> records;
  for (int i = 0; i < genes; ++i) records.push_back({human ? human_id(i) : mouse_id(i), ""});
  records.push_back({human ? human_id(900) : mouse_id(900), ""});
  return {"cells.h5ad", records, make_counts(genes)};
}

// The known genes of a cell by value, descending; written from the specification.
std::vector<std::pair<float, std::int32_t>> ranked(const std::vector<float>& counts,
                                                   Species species, bool normalise_total) {
  double total = 0;
  for (const float count : counts) total += count;
  std::vector<std::pair<float, std::int32_t>> genes;
  for (int i = 0; i + 1 < static_cast<int>(counts.size()); ++i) {
    double count = counts[static_cast<std::size_t>(i)];
    if (count == 0) continue;
    if (normalise_total) count = count / total * 10000;
    const bool human = species == Species::kHuman;
    const double median = human ? 1 + 0.5 * (i % 5) : 1;
    const bool own = !human && i >= kHomologues;
    genes.emplace_back(static_cast<float>(std::log2(1 + count / median)),
                       2 + i + (own ? kHumanGenes : 0));
  }
  std::sort(genes.begin(), genes.end(), [](const auto& a, const auto& b) {
    return a.first > b.first || (a.first == b.first && a.second < b.second);
  });
  if (genes.size() > kPositions) genes.resize(kPositions);
  return genes;
}

// One cell through the network: its CLS state, or the mean of its genes' states.
std::vector<double> direct(const Model& model, const EmbeddingConfig& config,
                           const std::vector<std::pair<float, std::int32_t>>& cell,
                           Species species) {
  const ModelConfig& shape = model.network.config();
  std::vector<double> row(static_cast<std::size_t>(shape.hidden), 0);
  if (cell.empty()) return row;
  std::vector<std::int32_t> genes;
  std::vector<float> values;
  for (const auto& [value, gene] : cell) values.push_back(value), genes.push_back(gene);
  Batch batch;
  batch.genes = Tensor::from(genes);
  batch.values = Tensor::from(values);
  batch.offsets = Tensor::from(std::vector<std::int64_t>{0, batch.genes.numel()});
  batch.species = Tensor::from(std::vector<std::int32_t>{static_cast<std::int32_t>(species)});
  batch.ordinals = Tensor::from(std::vector<std::int64_t>{0});
  const NoGrad no_grad;
  const Encoding encoding = model.network.encode(batch, ForwardContext{}, true);
  const std::int64_t layer = config.layer < 0 ? shape.layers : config.layer;
  const Tensor states = encoding.layers[static_cast<std::size_t>(layer)].cast(DType::kF64);
  const std::int64_t cls = shape.use_cls_token ? 1 : 0;
  const std::int64_t first = config.pooling == "cls" ? 0 : cls;
  const std::int64_t last = config.pooling == "cls" ? 1 : cls + batch.genes.numel();
  for (std::int64_t r = first; r < last; ++r)
    for (std::size_t c = 0; c < row.size(); ++c)
      row[c] += states.host<double>()[static_cast<std::size_t>(r) * row.size() + c] /
                static_cast<double>(last - first);
  return row;
}

struct Embedded {
  std::vector<float> rows;
  EmbeddingReport report;
};

Embedded embed(const Model& model, const EmbeddingConfig& config,
               Species species = Species::kHuman) {
  MemoryCells source = make_source(species);
  Embedded result;
  result.report = embed_cells(source, make_vocabulary(), model, config, [&](auto rows) {
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
  });
  return result;
}

// Every cell against `direct`; `tolerance` is of the norm of a row.
void expect_direct(const Model& model, const EmbeddingConfig& config, double tolerance,
                   Species genes = Species::kHuman, Species cells = Species::kHuman) {
  const std::vector<float> rows = embed(model, config, genes).rows;
  const auto counts = make_counts(genes == Species::kHuman ? kHumanGenes : kMouseGenes);
  const auto hidden = static_cast<std::size_t>(model.network.config().hidden);
  ASSERT_EQ(rows.size(), kCells * hidden);
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    const auto expected = direct(
        model, config, ranked(counts[cell], genes, model.network.config().target_total > 0), cells);
    double difference = 0, norm = 0;
    for (std::size_t c = 0; c < hidden; ++c) {
      difference += std::pow(rows[cell * hidden + c] - expected[c], 2);
      norm += expected[c] * expected[c];
    }
    EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm))
        << "cell " << cell << ", " << config.pooling << ", layer " << config.layer;
  }
}

// In f64 nothing is left but the rounding of the rows to f32. In f32 products of other extents
// round otherwise, and a network of large weights makes more of it.
constexpr double kRounding = 2e-7, kF32 = 1e-5;

TEST(CellEmbedding, IsTheNetworkOfTheRankedGenes) {
  for (const auto& [dtype, tolerance] : {std::pair(DType::kF64, kRounding), {DType::kF32, kF32}})
    for (const bool with_cls : {true, false}) {
      const auto model = make_model(small_config(with_cls), dtype);
      for (const std::string pooling : {"cls", "mean"}) {
        if (pooling == "cls" && !with_cls) continue;
        for (const std::int64_t layer : {-1, 0, 1, 2})
          expect_direct(*model, {.pooling = pooling, .layer = layer}, tolerance);
      }
    }
}

TEST(CellEmbedding, OfABf16Model) {
  const auto model = make_model(small_config(), DType::kBf16);
  for (const std::string pooling : {"cls", "mean"})
    for (const std::int64_t layer : {-1, 0, 1})
      expect_direct(*model, {.pooling = pooling, .layer = layer}, 1e-2);
}

TEST(CellEmbedding, CountsMayBeDividedByTheTotalOfAllGenes) {
  ModelConfig scaled = small_config();
  scaled.target_total = 10000;
  const auto model = make_model(scaled, DType::kF64);
  expect_direct(*model, {}, kRounding);
  EXPECT_NE(embed(*model, {}).rows, embed(*make_model(small_config(), DType::kF64), {}).rows);
}

TEST(CellEmbedding, SpeciesIsThatOfTheGenesUnlessGiven) {
  const auto model = make_model(small_config(), DType::kF64);
  expect_direct(*model, {}, kRounding, Species::kMouse, Species::kMouse);
  expect_direct(*model, {.species = "mouse"}, kRounding, Species::kHuman, Species::kMouse);
  EXPECT_NE(embed(*model, {.species = "mouse"}).rows, embed(*model, {}).rows);
}

TEST(CellEmbedding, DoesNotDependOnMicroBatches) {
  const auto model = make_model(small_config(), DType::kF64);
  const std::vector<float> whole = embed(*model, {}).rows;
  for (const std::int64_t tokens : {1, 13, 40})
    EXPECT_THAT(embed(*model, {.micro_batch_tokens = tokens}).rows,
                ::testing::Pointwise(::testing::FloatNear(2e-7f), whole))
        << tokens;
}

TEST(CellEmbedding, CellsWithoutKnownGenesAreRowsOfZerosAndListed) {
  ::testing::internal::CaptureStderr();
  const Embedded embedded = embed(*make_model(small_config()), {});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("cells.h5ad: 2 cells have no gene of the vocabulary"));
  EXPECT_EQ(embedded.report.cells, static_cast<std::int64_t>(kCells));
  EXPECT_THAT(embedded.report.without_genes, ElementsAre(kOnlyUnknown, kEmpty));
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    const auto row = std::span(embedded.rows).subspan(cell * 16, 16);
    const bool zeros = std::all_of(row.begin(), row.end(), [](float value) { return value == 0; });
    EXPECT_EQ(zeros, cell == kOnlyUnknown || cell == kEmpty) << cell;
  }
}

TEST(CellEmbedding, CountsTheCellsThatWereCut) {
  std::int64_t longer = 0;
  for (const auto& cell : make_counts(kHumanGenes))
    longer +=
        std::count_if(cell.begin(), cell.end() - 1, [](float c) { return c > 0; }) > kPositions;
  EXPECT_GE(longer, 2);
  EXPECT_LT(longer, static_cast<std::int64_t>(kCells) - 2);
  EXPECT_EQ(embed(*make_model(small_config()), {}).report.truncated, longer);
  EXPECT_EQ(embed(*make_model(small_config()), {}, Species::kMouse).report.truncated, 0);
}

TEST(CellEmbedding, TellsHowFarItIs) {
  MemoryCells source = make_source();
  std::vector<std::size_t> blocks;
  std::vector<std::int64_t> done;
  embed_cells(
      source, make_vocabulary(), *make_model(small_config()), {},
      [&](std::span<const float> rows) { blocks.push_back(rows.size() / 16); },
      [&](std::int64_t cells, std::int64_t total) {
        EXPECT_EQ(total, static_cast<std::int64_t>(kCells));
        done.push_back(cells);
      });
  EXPECT_THAT(blocks, ElementsAre(7, 7, 3));
  EXPECT_THAT(done, ElementsAre(7, 14, 17));
}

TEST(CellEmbedding, SettingsThatTheModelLacksAreRefused) {
  const auto model = make_model(small_config());
  const auto refuse = [&](const EmbeddingConfig& config, const std::string& sentence) {
    expect_error(ErrorKind::kInvalidArgument, sentence, [&] { embed(*model, config); });
  };
  refuse({.pooling = "max"}, "pooling: expected cls or mean, got max");
  refuse({.layer = -2}, "layer: expected -1 to 2, got -2");
  refuse({.layer = 3}, "layer: expected -1 to 2, got 3");
  refuse({.species = "rat"}, "species: expected auto, human or mouse, got rat");
  refuse({.micro_batch_tokens = 0}, "micro_batch_tokens: expected more than 0, got 0");
  const auto without_cls = make_model(small_config(false));
  expect_error(ErrorKind::kInvalidArgument, "pooling: this model has no CLS token; use mean",
               [&] { embed(*without_cls, {}); });
}

TEST(CellEmbedding, AVocabularyOfAnotherSizeIsRefused) {
  ModelConfig config = small_config();
  config.vocabulary += 1;
  const Model model(config, DType::kF32, 1);
  expect_error(ErrorKind::kBadInput, "the vocabulary has 40 tokens, but the model was made for 41",
               [&] { embed(model, {}); });
}

TEST(CellEmbedding, CellsOfUnknownGenesAloneAreRefused) {
  MemoryCells source("strange.h5ad", {{human_id(901), ""}}, {{3}, {1}});
  expect_error(ErrorKind::kBadInput, "strange.h5ad: none of its 1 genes is in the vocabulary", [&] {
    embed_cells(source, make_vocabulary(), *make_model(small_config()), {}, [](auto) {});
  });
}

TEST(CellEmbedding, BrokenWeightsAreANumericalFailure) {
  for (const std::string pooling : {"cls", "mean"}) {
    const auto model = make_model(small_config());
    model->store.at("bert.embeddings.position_embeddings.weight").master.host<float>()[0] =
        std::numeric_limits<float>::quiet_NaN();
    model->store.publish_masters();
    expect_error(ErrorKind::kNumeric, "a state is not finite; the model's weights are broken",
                 [&] { embed(*model, {.pooling = pooling}); });
  }
}

}  // namespace
}  // namespace lodestone
