#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/layers.h"
#include "model/config.h"

namespace lodestone {

// What the encoder needs besides the states: where cells begin, and how to drop.
struct EncoderContext {
  Tensor offsets;   // i64 [B + 1], in rows of the states
  Tensor row_keys;  // i64 [R], for dropout
  bool training = false;
  KeySequence* keys = nullptr;  // one key per dropout, in program order; needed when training
};

// A stack of post-norm transformer layers (spec section 3) on packed states [R, H].
class Encoder {
 public:
  Encoder(ParameterStore& store, const ModelConfig& config);
  // `layers`, when given, receives the states after each layer.
  Var operator()(Var states, const EncoderContext& context, std::vector<Tensor>* layers) const;
  // Rows `rows` (i32 [M], ascending) of the last states, [M, H]. In the last layer only these rows
  // become queries and pass the feed-forward part: the same numbers for less work.
  Var chosen(Var states, const EncoderContext& context, const Tensor& rows) const;

 private:
  struct Layer {
    Layer(ParameterStore& store, const std::string& name, const ModelConfig& config);
    Linear query_key_value;  // stacked [3H, H]: one product
    Linear attention_output;
    LayerNorm attention_norm;
    Linear intermediate, output;
    LayerNorm output_norm;
  };
  Dropout dropout(double probability, const EncoderContext& context) const;
  Var run(const Layer& layer, const Var& x_RH, const EncoderContext& context) const;
  Var run_chosen(const Layer& layer, const Var& x_RH, const EncoderContext& context,
                 const Tensor& rows) const;
  // What follows the attention, on any rows: `mixed` its result, `x` what entered the layer.
  Var feed_forward(const Layer& layer, const Var& mixed, const Var& x,
                   const EncoderContext& context) const;
  ModelConfig config_;
  std::vector<Layer> layers_;
};

}  // namespace lodestone
