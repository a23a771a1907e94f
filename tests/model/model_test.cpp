// The model against itself: what must not matter, and finite differences through the whole of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/model_directory.h"
#include "model/published_names.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::relative_error;

ModelConfig small_config() {
  ModelConfig c;
  c.vocabulary = 40;
  c.hidden = 16;
  c.layers = 2;
  c.heads = 2;
  c.intermediate = 24;
  c.max_positions = 12;
  c.prior_width = 5;
  c.hidden_dropout = 0.1;
  c.attention_dropout = 0.1;
  c.initializer_range = 0.3;
  return c;
}

void give_knowledge(Model& model) {
  std::mt19937_64 engine(7);
  std::normal_distribution<float> normal;
  const ModelConfig& c = model.network.config();
  for (const std::string& prior : c.priors()) {
    Tensor table = Tensor::empty({c.vocabulary, c.prior_width}, DType::kF32, Device::cpu());
    for (float& v : table.host<float>()) v = normal(engine);
    model.network.set_prior(prior, table);
  }
  std::vector<std::int32_t> homologous(static_cast<std::size_t>(c.vocabulary));
  for (std::size_t i = 0; i < homologous.size(); ++i)
    homologous[i] = static_cast<std::int32_t>(i >= 2 && i < 20 ? i + 20 : i);
  model.network.set_homologous_index(homologous);
}

std::unique_ptr<Model> small_model(const ModelConfig& config, DType dtype) {
  auto model = std::make_unique<Model>(config, dtype, 11);
  give_knowledge(*model);
  return model;
}

struct Cell {
  std::vector<std::int32_t> genes;
  Species species;
  std::int64_t ordinal;
};

// Every third gene is chosen and shows <mask>.
Batch batch_of(const std::vector<Cell>& cells) {
  std::vector<std::int32_t> genes, species, rows, labels;
  std::vector<float> values, value_labels;
  std::vector<std::int64_t> offsets{0}, ordinals;
  for (const Cell& cell : cells) {
    for (std::size_t k = 0; k < cell.genes.size(); ++k) {
      const float value = 0.5f * static_cast<float>(cell.genes.size() - k);
      const bool chosen = k % 3 == 0;
      if (chosen) {
        rows.push_back(static_cast<std::int32_t>(genes.size()));
        labels.push_back(cell.genes[k]);
        value_labels.push_back(value);
      }
      genes.push_back(chosen ? kMaskToken : cell.genes[k]);
      values.push_back(chosen ? -1.0f : value);
    }
    species.push_back(static_cast<std::int32_t>(cell.species));
    ordinals.push_back(cell.ordinal);
    offsets.push_back(static_cast<std::int64_t>(genes.size()));
  }
  return {Tensor::from(genes),   Tensor::from(values),      Tensor::from(offsets),
          Tensor::from(species), Tensor::from(ordinals),    Tensor::from(rows),
          Tensor::from(labels),  Tensor::from(value_labels)};
}

const std::vector<Cell> kCells = {
    {{5, 9, 12, 3, 30, 7, 22}, Species::kHuman, 0},
    {{5, 9, 17}, Species::kMouse, 1},
    {{4}, Species::kMouse, 2},
    {{8, 2, 19, 33, 11, 6, 39, 5, 10, 3, 21, 14}, Species::kHuman, 3}};

// Gradients of the loss of these micro-batches, with dropout.
std::vector<float> gradients(Model& model, const std::vector<Batch>& micro_batches) {
  std::int64_t chosen = 0;
  for (const Batch& batch : micro_batches) chosen += batch.chosen();
  const ForwardContext context{.training = true, .seed = 3, .step = 5, .prior_scale = 0.5};
  model.store.zero_gradients();
  TokenTable table = model.network.token_table(micro_batches, context);
  for (const Batch& batch : micro_batches) {
    const Losses losses = model.network.losses(batch, table, context, chosen);
    backward(losses.total, Tensor::from(std::vector<float>{1}));
  }
  table.backward();
  const Tensor all = model.store.gradients();
  return {all.host<float>().begin(), all.host<float>().end()};
}

TEST(Model, AccumulatedMicroBatchesAreOneBatchDropoutIncluded) {
  const auto model = small_model(small_config(), DType::kF32);
  const auto whole = gradients(*model, {batch_of(kCells)});
  const auto cut = gradients(
      *model, {batch_of({kCells[0]}), batch_of({kCells[1], kCells[2]}), batch_of({kCells[3]})});
  EXPECT_LE(relative_error(Tensor::from(cut), Tensor::from(whole)), 1e-6);
  ASSERT_NE(whole, std::vector<float>(whole.size(), 0));
}

// Training computes the last layer at the chosen rows only; here is the same loss by way of all
// rows.
TEST(Model, LossesOfChosenRowsAreThoseOfAllRows) {
  const auto model = small_model(small_config(), DType::kF32);
  const GeneCompass& network = model->network;
  const std::vector<Batch> batches{batch_of(kCells)};
  const Batch& batch = batches[0];
  const ForwardContext context{.training = true, .seed = 3, .step = 5, .prior_scale = 0.5};
  const std::vector<float> expected = gradients(*model, batches);

  model->store.zero_gradients();
  TokenTable table = network.token_table(batches, context);
  const Encoding encoding = network.encode(batch, table, context);
  const Tensor rows = network.state_rows(batch, batch.masked_rows);
  const Var id = cross_entropy(network.gene_logits(encoding, rows), batch.gene_labels);
  const Var value = squared_error(network.predicted_values(encoding, rows), batch.value_labels);
  const auto count = static_cast<double>(batch.chosen());
  const Losses losses = network.losses(batch, table, context, batch.chosen());
  EXPECT_NEAR(id.value().host<float>()[0], losses.id_sum(), 1e-6 * losses.id_sum());
  EXPECT_NEAR(value.value().host<float>()[0], losses.value_sum(), 1e-6 * losses.value_sum());
  backward(weighted_sum(std::vector<Var>{id, value},
                        std::vector<double>{kGeneLossWeight / count, kValueLossWeight / count}),
           Tensor::from(std::vector<float>{1}));
  table.backward();
  EXPECT_LE(relative_error(model->store.gradients(), Tensor::from(expected)), 1e-6);
}

TEST(Model, DropoutDependsOnTheStep) {
  const auto model = small_model(small_config(), DType::kF32);
  const NoGrad no_grad;
  const Batch batch = batch_of(kCells);
  const auto states = [&](std::uint64_t step) {
    return model->network.encode(batch, {.training = true, .seed = 3, .step = step}).states.value();
  };
  EXPECT_EQ(relative_error(states(1), states(1)), 0);
  EXPECT_GT(relative_error(states(1), states(2)), 0.01);
}

TEST(Model, ACellDoesNotDependOnItsBatch) {
  const auto model = small_model(small_config(), DType::kF32);
  const NoGrad no_grad;
  const Encoding together = model->network.encode(batch_of(kCells), ForwardContext{});
  for (std::size_t i = 0; i < kCells.size(); ++i) {
    const Encoding alone = model->network.encode(batch_of({kCells[i]}), ForwardContext{});
    const auto offsets = together.offsets.host<std::int64_t>();
    EXPECT_LE(relative_error(together.states.value().rows(offsets[i], offsets[i + 1]),
                             alone.states.value()),
              1e-6)
        << "cell " << i;
  }
}

TEST(Model, SpeciesDecidesWhichKnowledgeIsRead) {
  const auto model = small_model(small_config(), DType::kF32);
  const NoGrad no_grad;
  const auto genes_of = [&](std::int32_t gene, Species species) {
    const Batch batch = batch_of({{{38, gene}, species, 0}});
    const Encoding encoding = model->network.encode(batch, ForwardContext{}, true);
    return encoding.layers.front().rows(2, 3);  // CLS, the masked gene, then ours
  };
  EXPECT_GT(relative_error(genes_of(5, Species::kMouse), genes_of(5, Species::kHuman)), 0.01);
  EXPECT_EQ(relative_error(genes_of(35, Species::kMouse), genes_of(35, Species::kHuman)), 0)
      << "a gene without a homologue reads its own row in both";
}

TEST(Model, GradientsMatchFiniteDifferencesInF64) {
  ModelConfig config = small_config();
  config.layers = 1;
  const auto model = small_model(config, DType::kF64);
  const std::vector<Batch> batches{batch_of(kCells)};
  const ForwardContext context{.training = true, .seed = 3, .step = 5};
  const auto loss = [&] {
    const TokenTable table = model->network.token_table(batches, context);
    return model->network.losses(batches[0], table, context, batches[0].chosen());
  };
  model->store.zero_gradients();
  TokenTable table = model->network.token_table(batches, context);
  backward(model->network.losses(batches[0], table, context, batches[0].chosen()).total,
           Tensor::from(std::vector<double>{1}));
  table.backward();
  constexpr double kStep = 1e-5;
  for (Parameter& p : model->store.parameters()) {
    const auto values = p.master.host<double>();
    for (std::size_t i = 0; i < values.size(); i += std::max<std::size_t>(1, values.size() / 5)) {
      const NoGrad no_grad;
      const double at = values[i];
      values[i] = at + kStep;
      const double up = loss().total.value().host<double>()[0];
      values[i] = at - kStep;
      const double down = loss().total.value().host<double>()[0];
      values[i] = at;
      EXPECT_NEAR(p.gradient.host<double>()[i], (up - down) / (2 * kStep), 1e-7)
          << p.name << " element " << i;
    }
  }
}

TEST(Model, Bf16FollowsF32) {
  const auto narrow = small_model(small_config(), DType::kBf16);
  const auto wide = small_model(small_config(), DType::kF32);
  for (std::size_t i = 0; i < wide->store.parameters().size(); ++i)
    wide->store.parameters()[i].master.copy_from(
        narrow->store.parameters()[i].value.cast(DType::kF32));
  const auto got = gradients(*narrow, {batch_of(kCells)});
  const auto expected = gradients(*wide, {batch_of(kCells)});
  EXPECT_LE(relative_error(Tensor::from(got), Tensor::from(expected)), 0.05);
}

TEST(Model, NothingChosenIsNoLoss) {
  const auto model = small_model(small_config(), DType::kF32);
  Batch batch = batch_of(kCells);
  batch.masked_rows = Tensor::from(std::vector<std::int32_t>{});
  const TokenTable table = model->network.token_table({&batch, 1}, ForwardContext{});
  EXPECT_FALSE(model->network.losses(batch, table, ForwardContext{}, 0).total.defined());
}

TEST(Model, ConfigNamesEveryFaultAtOnce) {
  ModelConfig config = small_config();
  config.heads = 3;
  config.hidden_dropout = 1;
  testing::expect_throws(
      ErrorKind::kInvalidArgument, [&] { config.validate(); },
      "hidden (16) must be a multiple of heads (3)");
  testing::expect_throws(
      ErrorKind::kInvalidArgument, [&] { config.validate(); },
      "hidden_dropout must be in [0, 1), got 1");
}

TEST(Model, ParameterCountIsWhatIsDeclared) {
  for (const bool tied : {true, false}) {
    ModelConfig config = small_config();
    config.tie_word_embeddings = tied;
    config.use_co_exp = tied;
    const auto model = small_model(config, DType::kF32);
    std::int64_t declared = 0;
    for (const Parameter& p : model->store.parameters()) declared += p.numel();
    EXPECT_EQ(declared, config.parameter_count());
  }
}

TEST(PublishedNames, EveryElementOnceAndBack) {
  const auto model = small_model(small_config(), DType::kF32);
  const Tensor masters = model->store.masters();
  const std::vector<float> before(masters.host<float>().begin(), masters.host<float>().end());
  const auto tensors = published_tensors(*model);
  for (Parameter& p : model->store.parameters()) p.master.fill_zero();
  std::int64_t elements = 0;
  for (const PublishedTensor& t : published_layout(model->store, model->network.config())) {
    const auto stored = std::find_if(tensors.begin(), tensors.end(),
                                     [&](const NamedTensor& n) { return n.name == t.name; });
    ASSERT_NE(stored, tensors.end());
    scatter_published(t, stored->tensor, masters);
    elements += t.shape.numel();
  }
  EXPECT_EQ(elements, model->network.config().parameter_count());
  EXPECT_EQ(before, std::vector<float>(masters.host<float>().begin(), masters.host<float>().end()));
}

}  // namespace
}  // namespace lodestone
