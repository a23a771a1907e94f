#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lodestone {

// Genes of a cell in a batch, and how many of them were chosen for the loss.
struct CellSize {
  std::int64_t genes, chosen;
};

// The model's sizes and switches; the published base model by default. config.json holds them under
// the published keys (vocab_size, hidden_size, num_hidden_layers, ...), see model/config.cpp.
struct ModelConfig {
  static constexpr std::int64_t kSmallestVocabulary = 3;  // <pad>, <mask> and one gene

  std::int64_t vocabulary = 0;  // tokens, <pad> and <mask> included
  std::int64_t hidden = 768;
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t intermediate = 3072;
  std::int64_t max_positions = 2048;  // genes of a cell
  std::int64_t prior_width = 768;
  double layer_norm_eps = 1e-12;
  double hidden_dropout = 0.02;
  double attention_dropout = 0.02;
  double initializer_range = 0.02;
  bool use_values = true;
  bool use_promoter = true;
  bool use_co_exp = true;
  bool use_gene_family = true;
  bool use_peca_grn = true;
  bool use_cls_token = true;
  bool tie_word_embeddings = true;
  std::int64_t emb_warmup_steps = 0;  // prior warm-up; 0 = off
  // How the values the model was trained on were made: a cell's counts were scaled to this total
  // before they were divided by medians; 0 = they were not. Embeddings do the same.
  double target_total = 0;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("vocabulary", vocabulary, "tokens; 0 = the data's");
    visit("hidden", hidden, "width of the states");
    visit("layers", layers, "encoder layers");
    visit("heads", heads, "attention heads; hidden / heads is the head size");
    visit("intermediate", intermediate, "width of the feed-forward layer");
    visit("max_positions", max_positions, "most genes of a cell");
    visit("prior_width", prior_width, "width of the prior-knowledge vectors; 0 = the file's");
    visit("layer_norm_eps", layer_norm_eps, "of the encoder's layer norms");
    visit("hidden_dropout", hidden_dropout, "dropout on states, in [0, 1)");
    visit("attention_dropout", attention_dropout, "dropout on attention probabilities, in [0, 1)");
    visit("initializer_range", initializer_range, "standard deviation of initial weights");
    visit("use_values", use_values, "the expression value enters the embedding");
    visit("use_promoter", use_promoter, "promoter prior");
    visit("use_co_exp", use_co_exp, "co-expression prior");
    visit("use_gene_family", use_gene_family, "gene-family prior");
    visit("use_peca_grn", use_peca_grn, "regulatory-network prior");
    visit("use_cls_token", use_cls_token, "a CLS row of its species before each cell");
    visit("tie_word_embeddings", tie_word_embeddings, "the gene decoder is the word embedding");
    visit("emb_warmup_steps", emb_warmup_steps, "steps over which the priors fade in; 0 = off");
    visit("target_total", target_total, "total that counts were scaled to; the tokens' own");
  }

  // The priors switched on, in the order of the published concatenation: promoter, co_exp,
  // gene_family, peca_grn.
  std::vector<std::string> priors() const;
  std::int64_t head_size() const { return hidden / heads; }
  // Trained parameters (the prior tables are not).
  std::int64_t parameter_count() const;
  // Model FLOPs of one training step (3 x forward, no recomputation) over these cells. Counts what
  // has to be computed: of the last layer and the heads only what belongs to chosen rows.
  double training_flops(std::span<const CellSize> cells) const;
  // Throws kInvalidArgument naming every fault at once.
  void validate() const;
};

// config.json of a model directory or a published checkpoint. Missing keys take the published
// defaults; prior_width and tie_word_embeddings are ours. Wrong types and impossible sizes throw
// kBadInput with the file and key.
ModelConfig read_model_config(const std::filesystem::path& file);
std::string to_config_json(const ModelConfig& config);

}  // namespace lodestone
