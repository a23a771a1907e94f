#include "model/embedding.h"

#include <numeric>
#include <utility>

#include "engine/core/profile.h"

namespace lodestone {

namespace {

constexpr std::int64_t kTokenTypes = 2;
constexpr std::int64_t kSpecies = 2;
constexpr double kConcatenationEps = 1e-5;

const std::string kRoot = "bert.embeddings.";
const std::string kConcatenation = kRoot + "concat_embeddings.";

Init initial(const ModelConfig& config) {
  return Init::normal(static_cast<float>(config.initializer_range));
}

// NAME.weight [rows, H], which decays.
const Parameter* declare_rows(ParameterStore& store, const ModelConfig& config,
                              const std::string& name, std::int64_t rows) {
  return &store.declare(name + ".weight", {rows, config.hidden}, initial(config), Decay::kYes);
}

// The word's H columns and those of each prior.
std::int64_t table_width(const ModelConfig& config) {
  return (1 + static_cast<std::int64_t>(config.priors().size())) * config.hidden;
}

// Rows of a table that is not trained, in another dtype.
Var constant_rows(const Tensor& table_VP, const Tensor& rows, DType dtype) {
  const Var picked = gather_rows(Var(table_VP), rows);
  return dtype == DType::kF32 ? picked : Var(picked.value().cast(dtype));
}

}  // namespace

std::vector<Embedding::Prior> Embedding::declare_priors(ParameterStore& store,
                                                        const ModelConfig& config) {
  std::vector<Prior> priors;
  for (const std::string& name : config.priors())
    priors.push_back({name,
                      Linear(store, kRoot + name + "_embeddings.linear1", config.prior_width,
                             config.hidden, config.initializer_range),
                      {}});
  return priors;
}

Embedding::Embedding(ParameterStore& store, const ModelConfig& config)
    : config_(config),
      store_(store),
      word_(declare_rows(store, config, kRoot + "word_embeddings", config.vocabulary)),
      priors_(declare_priors(store, config)),
      cat_fc_(store, kConcatenation + "cat_fc", table_width(config), config.hidden,
              config.initializer_range),
      value_weight_(config.use_values
                        ? &store.declare(kConcatenation + "cat_fc.value_weight", {config.hidden},
                                         initial(config), Decay::kYes)
                        : nullptr),
      cat_norm_(store, kConcatenation + "cat_ln", config.hidden, kConcatenationEps),
      cat_proj_(store, kConcatenation + "cat_proj", config.hidden, config.hidden,
                config.initializer_range),
      positions_(declare_rows(store, config, kRoot + "position_embeddings", config.max_positions)),
      token_type_(declare_rows(store, config, kRoot + "token_type_embeddings", kTokenTypes)),
      norm_(store, kRoot + "LayerNorm", config.hidden, config.layer_norm_eps),
      cls_(config.use_cls_token ? declare_rows(store, config, "bert.cls_embedding", kSpecies)
                                : nullptr),
      homologous_index_(static_cast<std::size_t>(config.vocabulary)) {
  std::iota(homologous_index_.begin(), homologous_index_.end(), 0);
}

void Embedding::set_prior(const std::string& name, const Tensor& table_VP) {
  const Shape expected{config_.vocabulary, config_.prior_width};
  check(table_VP.shape() == expected && table_VP.dtype() == DType::kF32,
        "prior {}: expected f32 {}, got {} {}", name, expected.text(), name_of(table_VP.dtype()),
        table_VP.shape().text());
  for (Prior& prior : priors_)
    if (prior.name == name) {
      prior.table = table_VP.to(store_.device());
      return;
    }
  fail(ErrorKind::kInvalidArgument, "prior {}: switched off in this model", name);
}

const Tensor& Embedding::prior(const std::string& name) const {
  for (const Prior& prior : priors_)
    if (prior.name == name) return prior.table;
  fail(ErrorKind::kInvalidArgument, "prior {}: switched off in this model", name);
}

void Embedding::set_homologous_index(std::vector<std::int32_t> index) {
  check(static_cast<std::int64_t>(index.size()) == config_.vocabulary,
        "homologous_index: expected {} entries, got {}", config_.vocabulary, index.size());
  for (const std::int32_t id : index)
    check(id >= 0 && id < config_.vocabulary, "homologous_index: {} is not in [0, {})", id,
          config_.vocabulary);
  homologous_index_ = std::move(index);
}

TokenTable Embedding::table(std::span<const Batch> batches, double prior_scale) const {
  const ProfiledPart part("token_table");
  std::span<const std::int32_t> homologous;
  if (!priors_.empty()) homologous = homologous_index_;
  TokenPairs pairs(batches, homologous, config_.vocabulary);
  std::vector<Var> parts_UC{embedding_lookup(word_->var, pairs.ids(), kPadToken)};
  std::vector<float> scales{1.0f};
  for (const Prior& prior : priors_) {
    check(prior.table.defined(), "prior {}: switched on, but the model has no table for it",
          prior.name);
    const Var knowledge_UP = constant_rows(prior.table, pairs.prior_ids(), store_.compute_type());
    parts_UC.push_back(prior.projection(knowledge_UP));
    scales.push_back(static_cast<float>(prior_scale));
  }
  return TokenTable(std::move(pairs), cat_fc_(concat_columns(parts_UC, scales)));
}

Var Embedding::operator()(const Batch& batch, const TokenTable& table,
                          const Dropout& gene_dropout) const {
  const ProfiledPart part("embedding");
  const DType wide = accumulation_type(store_.compute_type());
  const Tensor values = wide == DType::kF32 ? batch.values : batch.values.cast(wide);
  const Var fused_NH = table_embedding(table.rows(), value_weight_ ? value_weight_->var : Var(),
                                       values, table.pairs().groups(batch));
  const Var gene_NH = cat_proj_(quick_gelu(cat_norm_(fused_NH)));
  const Var placed_NH = add_positions(gene_NH, token_type_->var, positions_->var, batch.offsets);
  const Var x_NH = dropout(norm_(placed_NH), gene_dropout);
  return cls_ ? prepend_cls(x_NH, cls_->var, batch.species, batch.offsets) : x_NH;
}

}  // namespace lodestone
