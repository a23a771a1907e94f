#include "model/encoder.h"

#include <utility>

namespace lodestone {

Encoder::Layer::Layer(ParameterStore& store, const std::string& name, const ModelConfig& config)
    : query_key_value(store, name + "attention.self.query_key_value", config.hidden,
                      3 * config.hidden, config.initializer_range),
      attention_output(store, name + "attention.output.dense", config.hidden, config.hidden,
                       config.initializer_range),
      attention_norm(store, name + "attention.output.LayerNorm", config.hidden,
                     config.layer_norm_eps),
      intermediate(store, name + "intermediate.dense", config.hidden, config.intermediate,
                   config.initializer_range),
      output(store, name + "output.dense", config.intermediate, config.hidden,
             config.initializer_range),
      output_norm(store, name + "output.LayerNorm", config.hidden, config.layer_norm_eps) {}

Encoder::Encoder(ParameterStore& store, const ModelConfig& config) : config_(config) {
  layers_.reserve(static_cast<std::size_t>(config.layers));
  for (std::int64_t i = 0; i < config.layers; ++i)
    layers_.emplace_back(store, "bert.encoder.layer." + std::to_string(i) + ".", config);
}

Dropout Encoder::dropout(double probability, const EncoderContext& context) const {
  if (!context.training) return {};
  return {static_cast<float>(probability), context.keys->next(), context.row_keys};
}

Var Encoder::run(const Layer& layer, const Var& x_RH, const EncoderContext& context) const {
  const Var qkv_R3H = layer.query_key_value(x_RH);
  const Var mixed_RH = attention(qkv_R3H, context.offsets, config_.heads,
                                 dropout(config_.attention_dropout, context));
  const Var attended_RH = layer.attention_norm(layer.attention_output(mixed_RH), x_RH,
                                               dropout(config_.hidden_dropout, context));
  const Var wide_RF = layer.intermediate(attended_RH, Activation::kGelu);
  return layer.output_norm(layer.output(wide_RF), attended_RH,
                           dropout(config_.hidden_dropout, context));
}

Var Encoder::operator()(Var states, const EncoderContext& context,
                        std::vector<Tensor>* layers) const {
  if (layers) layers->push_back(states.value());
  for (const Layer& layer : layers_) {
    states = run(layer, states, context);
    if (layers) layers->push_back(states.value());
  }
  return states;
}

}  // namespace lodestone
