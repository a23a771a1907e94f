#pragma once
#include <cstdint>
#include <string>

#include "engine/nn/layers.h"
#include "model/config.h"

namespace lodestone {

// A pre-training head (spec section 4): t = layer_norm(gelu(dense(x))); prediction = t @ decoder^T
// + bias. NAME.transform.{dense,LayerNorm}, NAME.decoder.weight (unless shared), NAME.bias.
class PredictionHead {
 public:
  // `shared_decoder`: [outputs, H], another layer's parameter (tied); null = its own.
  PredictionHead(ParameterStore& store, const std::string& name, const ModelConfig& config,
                 std::int64_t outputs, const Parameter* shared_decoder);
  Var operator()(const Var& x) const;  // [M, H] -> [M, outputs]

 private:
  Linear dense_;
  LayerNorm norm_;
  const Parameter* decoder_;
  const Parameter* bias_;
};

// Cell classification (spec section 6): classifier(dropout(tanh(pooler(x_CLS)))).
class CellClassifier {
 public:
  CellClassifier(ParameterStore& store, const ModelConfig& config, std::int64_t classes);
  Var operator()(const Var& cls_states, const Dropout& dropout) const;  // [B, H] -> [B, classes]

 private:
  Linear pooler_, classifier_;
};

}  // namespace lodestone
