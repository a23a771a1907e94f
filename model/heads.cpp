#include "model/heads.h"

namespace lodestone {

PredictionHead::PredictionHead(ParameterStore& store, const std::string& name,
                               const ModelConfig& config, std::int64_t outputs,
                               const Parameter* shared_decoder)
    : dense_(store, name + ".transform.dense", config.hidden, config.hidden,
             config.initializer_range),
      norm_(store, name + ".transform.LayerNorm", config.hidden, config.layer_norm_eps),
      decoder_(shared_decoder),
      bias_(nullptr) {
  if (!decoder_)
    decoder_ =
        &store.declare(name + ".decoder.weight", {outputs, config.hidden},
                       Init::normal(static_cast<float>(config.initializer_range)), Decay::kYes);
  bias_ = &store.declare(name + ".bias", {outputs}, Init::constant(0), Decay::kNo);
}

Var PredictionHead::operator()(const Var& x_MH) const {
  const Var t_MH = norm_(dense_(x_MH, Activation::kGelu));
  return linear(t_MH, decoder_->var, bias_->var);
}

CellClassifier::CellClassifier(ParameterStore& store, const ModelConfig& config,
                               std::int64_t classes)
    : pooler_(store, "bert.pooler.dense", config.hidden, config.hidden, config.initializer_range),
      classifier_(store, "classifier", config.hidden, classes, config.initializer_range) {}

Var CellClassifier::operator()(const Var& cls_states_BH, const Dropout& dropout) const {
  return classifier_(lodestone::dropout(lodestone::tanh(pooler_(cls_states_BH)), dropout));
}

}  // namespace lodestone
