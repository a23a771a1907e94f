#pragma once
// GeneCompass: embedding front end, encoder and pre-training heads (Yang et al., Cell Research
// 2024).
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/nn/parameter_store.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/embedding.h"
#include "model/encoder.h"
#include "model/heads.h"

namespace lodestone {

// The loss is kGeneLossWeight * id loss + kValueLossWeight * value loss (spec section 4).
inline constexpr double kGeneLossWeight = 0.2, kValueLossWeight = 0.8;

// What changes from call to call.
struct ForwardContext {
  bool training = false;   // dropout acts
  std::uint64_t seed = 0;  // of the run; with step it keys dropout
  std::uint64_t step = 0;  // optimizer step
  double prior_scale = 1;  // alpha of the prior warm-up, in [0, 1]
};

// States of a batch. Row layout: with CLS, cell b holds offsets[b] .. offsets[b + 1] with its CLS
// row first; without, the batch's own rows.
struct Encoding {
  Var states;                  // [N + B, H] (or [N, H]) of the last layer
  Tensor offsets;              // i64 [B + 1] in those rows
  std::vector<Tensor> layers;  // states after the embedding and after each layer, when asked for
};

struct Losses {
  Var total;         // wide [1]: (0.2 * id_sum + 0.8 * value_sum) / chosen_globally
  Tensor id, value;  // wide [1]: the sums, over this batch's chosen rows; undefined with none
  // The sums as numbers; waits for the device.
  double id_sum() const;
  double value_sum() const;
};

class GeneCompass {
 public:
  // Declares the parameters. The store must outlive the model and be materialised before use.
  GeneCompass(ParameterStore& store, const ModelConfig& config);

  const ModelConfig& config() const { return config_; }
  ParameterStore& parameters() const { return store_; }

  // Buffers, not trained. [V, P] f32 per prior switched on; [V].
  void set_prior(const std::string& name, const Tensor& table);
  const Tensor& prior(const std::string& name) const;
  void set_homologous_index(std::vector<std::int32_t> index);
  const std::vector<std::int32_t>& homologous_index() const;

  // T for one optimizer step: the pairs of all its micro-batches (see model/token_table.h). After
  // the last micro-batch's backward, call backward() on it: only then are the gradients complete.
  TokenTable token_table(std::span<const Batch> batches, const ForwardContext& context) const;

  Encoding encode(const Batch& batch, const TokenTable& table, const ForwardContext& context,
                  bool keep_layers = false) const;
  // The same with a table of this batch alone: for inference.
  Encoding encode(const Batch& batch, const ForwardContext& context,
                  bool keep_layers = false) const;

  // Predictions at rows of the encoding (i32 [M], rows of `encoding.states`).
  Var gene_logits(const Encoding& encoding, const Tensor& rows) const;       // [M, V]
  Var predicted_values(const Encoding& encoding, const Tensor& rows) const;  // [M, 1]
  // The pre-training loss over the batch's chosen rows, normalised by the number of rows chosen in
  // the whole global batch. Nothing chosen: total is undefined and the sums are 0.
  Losses losses(const Batch& batch, const TokenTable& table, const ForwardContext& context,
                std::int64_t chosen_globally) const;
  // Rows of `encoding.states` that hold these rows of the batch.
  Tensor state_rows(const Batch& batch, const Tensor& rows) const;

 private:
  // The states before the first layer, and what the layers need to know.
  struct Embedded {
    Var states;
    EncoderContext context;
  };
  Embedded embed(const Batch& batch, const TokenTable& table, const ForwardContext& context,
                 KeySequence& keys) const;
  ModelConfig config_;
  ParameterStore& store_;
  Embedding embedding_;
  Encoder encoder_;
  PredictionHead gene_head_, value_head_;
};

}  // namespace lodestone
