#include "model/genecompass.h"

#include <algorithm>
#include <utility>

#include "engine/core/profile.h"

namespace lodestone {

namespace {

// The row keys of a batch's tokens (position 0 is the CLS's, there or not), or of its states.
Tensor row_keys(const Batch& batch, const Tensor& offsets, std::int64_t first_position) {
  Tensor keys = Tensor::empty({offsets.host<std::int64_t>().back()}, DType::kI64, Device::cpu());
  const auto starts = offsets.host<std::int64_t>();
  const auto ordinals = batch.ordinals.host<std::int64_t>();
  const auto out = keys.host<std::int64_t>();
  for (std::size_t b = 0; b + 1 < starts.size(); ++b)
    for (std::int64_t row = starts[b]; row < starts[b + 1]; ++row)
      out[static_cast<std::size_t>(row)] =
          static_cast<std::int64_t>(row_key(ordinals[b], first_position + row - starts[b]));
  return keys;
}

// Where cells begin once each has a CLS row before it.
Tensor offsets_with_cls(const Tensor& offsets) {
  Tensor shifted = offsets.clone();
  std::int64_t cell = 0;
  for (std::int64_t& offset : shifted.host<std::int64_t>()) offset += cell++;
  return shifted;
}

// The number of a wide tensor [1]; 0 where there is none.
double number(const Tensor& tensor) {
  if (!tensor.defined()) return 0;
  const Tensor value = tensor.to(Device::cpu());
  return value.dtype() == DType::kF64 ? value.host<double>()[0]
                                      : static_cast<double>(value.host<float>()[0]);
}

}  // namespace

double Losses::id_sum() const {
  return number(id);
}

double Losses::value_sum() const {
  return number(value);
}

GeneCompass::GeneCompass(ParameterStore& store, const ModelConfig& config)
    : config_((config.validate(), config)),
      store_(store),
      embedding_(store, config),
      encoder_(store, config),
      gene_head_(store, "cls.predictions", config, config.vocabulary,
                 config.tie_word_embeddings ? &embedding_.word_embeddings() : nullptr),
      value_head_(store, "cls4value.predictions", config, 1, nullptr) {}

void GeneCompass::set_prior(const std::string& name, const Tensor& table) {
  embedding_.set_prior(name, table);
}

const Tensor& GeneCompass::prior(const std::string& name) const {
  return embedding_.prior(name);
}

void GeneCompass::set_homologous_index(std::vector<std::int32_t> index) {
  embedding_.set_homologous_index(std::move(index));
}

const std::vector<std::int32_t>& GeneCompass::homologous_index() const {
  return embedding_.homologous_index();
}

TokenTable GeneCompass::token_table(std::span<const Batch> batches,
                                    const ForwardContext& context) const {
  return embedding_.table(batches, context.prior_scale);
}

GeneCompass::Embedded GeneCompass::embed(const Batch& batch, const TokenTable& table,
                                         const ForwardContext& context, KeySequence& keys) const {
  Dropout gene_dropout;
  if (context.training)
    gene_dropout = {static_cast<float>(config_.hidden_dropout), keys.next(),
                    row_keys(batch, batch.offsets, 1)};
  const Tensor offsets = config_.use_cls_token ? offsets_with_cls(batch.offsets) : batch.offsets;
  const Tensor keys_of_rows = row_keys(batch, offsets, config_.use_cls_token ? 0 : 1);
  return {embedding_(batch, table, gene_dropout), {offsets, keys_of_rows, context.training, &keys}};
}

Encoding GeneCompass::encode(const Batch& batch, const TokenTable& table,
                             const ForwardContext& context, bool keep_layers) const {
  KeySequence keys(context.seed, context.step);
  const Embedded embedded = embed(batch, table, context, keys);
  Encoding encoding;
  encoding.offsets = embedded.context.offsets;
  encoding.states =
      encoder_(embedded.states, embedded.context, keep_layers ? &encoding.layers : nullptr);
  return encoding;
}

Encoding GeneCompass::encode(const Batch& batch, const ForwardContext& context,
                             bool keep_layers) const {
  return encode(batch, token_table({&batch, 1}, context), context, keep_layers);
}

Var GeneCompass::gene_logits(const Encoding& encoding, const Tensor& rows) const {
  return gene_head_(gather_rows(encoding.states, rows));
}

Var GeneCompass::predicted_values(const Encoding& encoding, const Tensor& rows) const {
  return value_head_(gather_rows(encoding.states, rows));
}

Tensor GeneCompass::state_rows(const Batch& batch, const Tensor& rows) const {
  Tensor shifted = rows.clone();
  if (!config_.use_cls_token) return shifted;
  const auto offsets = batch.offsets.host<std::int64_t>();
  for (std::int32_t& row : shifted.host<std::int32_t>()) {
    const auto cell = std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin();
    row += static_cast<std::int32_t>(cell);  // one CLS row for this cell and each before it
  }
  return shifted;
}

Losses GeneCompass::losses(const Batch& batch, const TokenTable& table,
                           const ForwardContext& context, std::int64_t chosen_globally) const {
  if (batch.chosen() == 0) return {};
  check(chosen_globally >= batch.chosen(), "losses: {} rows chosen in a global batch of {}",
        batch.chosen(), chosen_globally);
  KeySequence keys(context.seed, context.step);
  const Embedded embedded = embed(batch, table, context, keys);
  const Var chosen_MH =
      encoder_.chosen(embedded.states, embedded.context, state_rows(batch, batch.masked_rows));
  const ProfiledPart part("heads");
  const DType wide = accumulation_type(store_.compute_type());
  const Tensor targets = wide == DType::kF32 ? batch.value_labels : batch.value_labels.cast(wide);
  const Var id_sum = cross_entropy(gene_head_(chosen_MH), batch.gene_labels);
  const Var value_sum = squared_error(value_head_(chosen_MH), targets);
  const auto count = static_cast<double>(chosen_globally);
  const std::vector<Var> terms{id_sum, value_sum};
  const std::vector<double> weights{kGeneLossWeight / count, kValueLossWeight / count};
  return {weighted_sum(terms, weights), id_sum.value(), value_sum.value()};
}

}  // namespace lodestone
