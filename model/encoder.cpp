#include "model/encoder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/core/profile.h"

namespace lodestone {

namespace {

// i64 [B + 1]: where each cell's rows begin among `rows`, ascending rows of all cells.
Tensor offsets_of(const Tensor& rows, const Tensor& offsets) {
  const auto chosen = rows.host<std::int32_t>();
  Tensor begins = offsets.clone();
  for (std::int64_t& begin : begins.host<std::int64_t>())
    begin = std::lower_bound(chosen.begin(), chosen.end(), begin) - chosen.begin();
  return begins;
}

// i64 [M]: the keys of these rows.
Tensor keys_of(const Tensor& rows, const Tensor& row_keys) {
  const auto all = row_keys.host<std::int64_t>();
  std::vector<std::int64_t> keys;
  keys.reserve(static_cast<std::size_t>(rows.numel()));
  for (const std::int32_t row : rows.host<std::int32_t>())
    keys.push_back(all[static_cast<std::size_t>(row)]);
  return Tensor::from(keys);
}

}  // namespace

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
  return feed_forward(layer, mixed_RH, x_RH, context);
}

Var Encoder::run_chosen(const Layer& layer, const Var& x_RH, const EncoderContext& context,
                        const Tensor& rows) const {
  const std::int64_t H = config_.hidden;
  const EncoderContext of_rows{offsets_of(rows, context.offsets), keys_of(rows, context.row_keys),
                               context.training, context.keys};
  const Var chosen_MH = gather_rows(x_RH, rows);
  const Var queries_MH = layer.query_key_value.columns(chosen_MH, 0, H);
  const Var keys_values_R2H = layer.query_key_value.columns(x_RH, H, 3 * H);
  const Var mixed_MH = attention(queries_MH, keys_values_R2H, of_rows.offsets, context.offsets,
                                 config_.heads, dropout(config_.attention_dropout, of_rows));
  return feed_forward(layer, mixed_MH, chosen_MH, of_rows);
}

Var Encoder::feed_forward(const Layer& layer, const Var& mixed, const Var& x,
                          const EncoderContext& context) const {
  const Var attended = layer.attention_norm(layer.attention_output(mixed), x,
                                            dropout(config_.hidden_dropout, context));
  const Var wide = layer.intermediate(attended, Activation::kGelu);
  return layer.output_norm(layer.output(wide), attended, dropout(config_.hidden_dropout, context));
}

Var Encoder::operator()(Var states, const EncoderContext& context,
                        std::vector<Tensor>* layers) const {
  const ProfiledPart part("encoder");
  if (layers) layers->push_back(states.value());
  for (const Layer& layer : layers_) {
    states = run(layer, states, context);
    if (layers) layers->push_back(states.value());
  }
  return states;
}

Var Encoder::chosen(Var states, const EncoderContext& context, const Tensor& rows) const {
  const ProfiledPart part("encoder");
  if (layers_.empty()) return gather_rows(states, rows);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) states = run(layers_[i], states, context);
  return run_chosen(layers_.back(), states, context, rows);
}

}  // namespace lodestone
