#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/nn/layers.h"
#include "model/config.h"
#include "model/token_table.h"

namespace lodestone {

// The embedding front end (spec section 2). Shapes: N gene tokens, B cells, H hidden, V vocabulary,
// P prior width, U distinct pairs.
class Embedding {
 public:
  Embedding(ParameterStore& store, const ModelConfig& config);

  // Prior tables f32 [V, P], kept in the compute dtype from then on; homologous_index [V].
  void set_prior(const std::string& name, const Tensor& table);
  const Tensor& prior(const std::string& name) const;  // f32 [V, P]
  void set_homologous_index(std::vector<std::int32_t> index);
  const std::vector<std::int32_t>& homologous_index() const { return homologous_index_; }

  // T for the pairs of these batches; prior_scale is alpha of the prior warm-up.
  TokenTable table(std::span<const Batch> batches, double prior_scale) const;
  // States with CLS rows: [N + B, H] (without use_cls_token: [N, H]). gene_dropout has the N
  // tokens' row keys.
  Var operator()(const Batch& batch, const TokenTable& table, const Dropout& gene_dropout) const;

  const Parameter& word_embeddings() const { return *word_; }

 private:
  struct Prior {
    std::string name;
    Linear projection;
    Tensor table;  // f32 [V, P]
  };
  static std::vector<Prior> declare_priors(ParameterStore& store, const ModelConfig& config);

  // In the order in which their parameters are declared.
  ModelConfig config_;
  const ParameterStore& store_;
  const Parameter* word_;
  std::vector<Prior> priors_;
  Linear cat_fc_;
  const Parameter* value_weight_;  // [H]: the value's column of cat_fc; null without values
  LayerNorm cat_norm_;
  Linear cat_proj_;
  const Parameter* positions_;
  const Parameter* token_type_;
  LayerNorm norm_;
  const Parameter* cls_;  // null without CLS
  std::vector<std::int32_t> homologous_index_;
};

}  // namespace lodestone
