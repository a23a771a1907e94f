#include "model/embedding.h"

#include <numeric>
#include <utility>

namespace lodestone {

namespace {

constexpr std::int64_t kTokenTypes = 2;
constexpr std::int64_t kSpecies = 2;
constexpr double kConcatenationEps = 1e-5;

// Rows of a table that is not trained, in another dtype.
Var constant_rows(const Tensor& table_VP, const Tensor& rows, DType dtype) {
  const Var picked = gather_rows(Var(table_VP), rows);
  return dtype == DType::kF32 ? picked : Var(picked.value().cast(dtype));
}

}  // namespace

Embedding::Embedding(ParameterStore& store, const ModelConfig& config)
    : config_(config),
      store_(store),
      homologous_index_(static_cast<std::size_t>(config.vocabulary)) {
  const Init init = Init::normal(static_cast<float>(config.initializer_range));
  const double stddev = config.initializer_range;
  const std::string root = "bert.embeddings.";
  const std::int64_t H = config.hidden;
  const auto table = [&](const std::string& name, std::int64_t rows) {
    return &store.declare(name + ".weight", {rows, H}, init, Decay::kYes);
  };
  word_ = table(root + "word_embeddings", config.vocabulary);
  const std::vector<std::string> names = config.priors();
  for (const std::string& name : names)
    priors_.push_back(
        {name,
         Linear(store, root + name + "_embeddings.linear1", config.prior_width, H, stddev),
         {}});
  const std::string cat = root + "concat_embeddings.";
  const auto parts = 1 + static_cast<std::int64_t>(names.size());
  cat_fc_.emplace(store, cat + "cat_fc", parts * H, H, stddev);
  if (config.use_values)
    value_weight_ = &store.declare(cat + "cat_fc.value_weight", {H}, init, Decay::kYes);
  cat_norm_.emplace(store, cat + "cat_ln", H, kConcatenationEps);
  cat_proj_.emplace(store, cat + "cat_proj", H, H, stddev);
  positions_ = table(root + "position_embeddings", config.max_positions);
  token_type_ = table(root + "token_type_embeddings", kTokenTypes);
  norm_.emplace(store, root + "LayerNorm", H, config.layer_norm_eps);
  if (config.use_cls_token) cls_ = table("bert.cls_embedding", kSpecies);
  std::iota(homologous_index_.begin(), homologous_index_.end(), 0);
}

void Embedding::set_prior(const std::string& name, Tensor table_VP) {
  const Shape expected{config_.vocabulary, config_.prior_width};
  check(table_VP.shape() == expected && table_VP.dtype() == DType::kF32,
        "prior {}: expected f32 {}, got {} {}", name, expected.text(), name_of(table_VP.dtype()),
        table_VP.shape().text());
  for (Prior& prior : priors_)
    if (prior.name == name) {
      prior.table = std::move(table_VP);
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
  return TokenTable(std::move(pairs), (*cat_fc_)(concat_columns(parts_UC, scales)));
}

Var Embedding::operator()(const Batch& batch, const TokenTable& table,
                          const Dropout& gene_dropout) const {
  const DType wide = accumulation_type(store_.compute_type());
  const Tensor values = wide == DType::kF32 ? batch.values : batch.values.cast(wide);
  const Var fused_NH = table_embedding(table.rows(), value_weight_ ? value_weight_->var : Var(),
                                       values, table.pairs().groups(batch));
  const Var gene_NH = (*cat_proj_)(quick_gelu((*cat_norm_)(fused_NH)));
  const Var placed_NH = add_positions(gene_NH, token_type_->var, positions_->var, batch.offsets);
  const Var x_NH = dropout((*norm_)(placed_NH), gene_dropout);
  return cls_ ? prepend_cls(x_NH, cls_->var, batch.species, batch.offsets) : x_NH;
}

}  // namespace lodestone
