#include "model/config.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone {

namespace {

using Json = nlohmann::ordered_json;

// The published key of each field of config.json.
template <class Config, class Visitor>
void visit_published(Config& c, Visitor&& visit) {
  visit("vocab_size", c.vocabulary);
  visit("hidden_size", c.hidden);
  visit("num_hidden_layers", c.layers);
  visit("num_attention_heads", c.heads);
  visit("intermediate_size", c.intermediate);
  visit("max_position_embeddings", c.max_positions);
  visit("prior_width", c.prior_width);
  visit("layer_norm_eps", c.layer_norm_eps);
  visit("hidden_dropout_prob", c.hidden_dropout);
  visit("attention_probs_dropout_prob", c.attention_dropout);
  visit("initializer_range", c.initializer_range);
  visit("use_values", c.use_values);
  visit("use_promoter", c.use_promoter);
  visit("use_co_exp", c.use_co_exp);
  visit("use_gene_family", c.use_gene_family);
  visit("use_peca_grn", c.use_peca_grn);
  visit("use_cls_token", c.use_cls_token);
  visit("tie_word_embeddings", c.tie_word_embeddings);
  visit("emb_warmup_steps", c.emb_warmup_steps);
  visit("target_total", c.target_total);
}

template <class T>
void read_field(const Json& json, const char* key, T& field, const std::string& file) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  if constexpr (std::is_same_v<T, bool>)
    check_input(found->is_boolean(), "{}: {} must be true or false, found {}", file, key,
                found->dump());
  else if constexpr (std::is_same_v<T, std::int64_t>)
    check_input(found->is_number_integer(), "{}: {} must be a whole number, found {}", file, key,
                found->dump());
  else
    check_input(found->is_number(), "{}: {} must be a number, found {}", file, key, found->dump());
  field = found->get<T>();
}

}  // namespace

std::vector<std::string> ModelConfig::priors() const {
  std::vector<std::string> names;
  if (use_promoter) names.emplace_back("promoter");
  if (use_co_exp) names.emplace_back("co_exp");
  if (use_gene_family) names.emplace_back("gene_family");
  if (use_peca_grn) names.emplace_back("peca_grn");
  return names;
}

std::int64_t ModelConfig::parameter_count() const {
  const std::int64_t H = hidden, norm = 2 * H, square = H * H + H;
  const auto knowledge = static_cast<std::int64_t>(priors().size());
  const std::int64_t front = vocabulary * H + knowledge * (prior_width * H + H) +
                             ((1 + knowledge) * H + (use_values ? 1 : 0)) * H + H + norm + square +
                             max_positions * H + 2 * H + norm + (use_cls_token ? 2 * H : 0);
  const std::int64_t layer =
      4 * square + norm + (H * intermediate + intermediate) + (intermediate * H + H) + norm;
  const std::int64_t gene_head =
      square + norm + vocabulary + (tie_word_embeddings ? 0 : vocabulary * H);
  const std::int64_t value_head = square + norm + H + 1;
  return front + layers * layer + gene_head + value_head;
}

// The token table is left out: its cost depends on the distinct genes of a step, not on its tokens.
double ModelConfig::training_flops(std::span<const CellSize> cells) const {
  const auto H = static_cast<double>(hidden);
  const double feed_forward = 2 * H * static_cast<double>(intermediate);
  double forward = 0;
  for (const CellSize& cell : cells) {
    const auto genes = static_cast<double>(cell.genes);
    const auto chosen = static_cast<double>(cell.chosen);
    const double rows = genes + (use_cls_token ? 1 : 0);
    forward += 2 * genes * H * H;                // cat_proj
    const auto layer_of = [&](double queries) {  // keys and values are of all rows
      return 4 * rows * H * H + 2 * queries * (2 * H * H + feed_forward) + 4 * queries * rows * H;
    };
    if (layers > 0) forward += static_cast<double>(layers - 1) * layer_of(rows) + layer_of(chosen);
    forward += 2 * chosen * (2 * H * H + H * static_cast<double>(vocabulary + 1));
  }
  return 3 * forward;
}

void ModelConfig::validate() const {
  std::vector<std::string> faults;
  const auto expect = [&](bool holds, std::string fault) {
    if (!holds) faults.push_back(std::move(fault));
  };
  const auto whole = [&](std::int64_t value, std::int64_t least, const char* name) {
    expect(value >= least && value <= (std::int64_t{1} << 31),
           fmt::format("{} must be {} to 2^31, got {}", name, least, value));
  };
  const auto share = [&](double value, const char* name) {
    expect(value >= 0 && value < 1, fmt::format("{} must be in [0, 1), got {}", name, value));
  };
  whole(vocabulary, kSmallestVocabulary, "vocabulary");
  whole(hidden, 1, "hidden");
  whole(layers, 0, "layers");
  whole(heads, 1, "heads");
  whole(intermediate, 1, "intermediate");
  whole(max_positions, 1, "max_positions");
  expect(max_positions < (std::int64_t{1} << 20), "max_positions must be below 2^20");
  whole(prior_width, priors().empty() ? 0 : 1, "prior_width");
  if (heads >= 1 && hidden >= 1) {
    expect(hidden % heads == 0,
           fmt::format("hidden ({}) must be a multiple of heads ({})", hidden, heads));
    expect(
        hidden % heads != 0 || head_size() % 8 == 0,
        fmt::format("the head size, hidden / heads, must be a multiple of 8, got {}", head_size()));
  }
  expect(layer_norm_eps > 0 && layer_norm_eps < 1,
         fmt::format("layer_norm_eps must be in (0, 1), got {}", layer_norm_eps));
  share(hidden_dropout, "hidden_dropout");
  share(attention_dropout, "attention_dropout");
  expect(initializer_range >= 0 && initializer_range < 100,
         fmt::format("initializer_range must be in [0, 100), got {}", initializer_range));
  whole(emb_warmup_steps, 0, "emb_warmup_steps");
  expect(target_total >= 0 && target_total < 1e12,
         fmt::format("target_total must be 0 or a positive total, got {}", target_total));
  check(faults.empty(), "model: {}", fmt::join(faults, "; "));
}

ModelConfig read_model_config(const std::filesystem::path& file) {
  const Json json = Json::parse(read_text(file), nullptr, false);
  check_input(json.is_object(), "{}: not a JSON object", file.string());
  if (const auto act = json.find("hidden_act"); act != json.end())
    check_input(*act == "gelu", "{}: hidden_act must be \"gelu\", found {}", file.string(),
                act->dump());
  ModelConfig config;
  config.vocabulary = 0;
  config.prior_width = 0;
  visit_published(
      config, [&](const char* key, auto& field) { read_field(json, key, field, file.string()); });
  check_input(config.vocabulary >= ModelConfig::kSmallestVocabulary,
              "{}: vocab_size must be at least {}, found {}", file.string(),
              ModelConfig::kSmallestVocabulary, config.vocabulary);
  return config;
}

std::string to_config_json(const ModelConfig& config) {
  Json json;
  json["model_type"] = "bert";
  json["architectures"] = {"BertForMaskedLM"};
  visit_published(config, [&](const char* key, const auto& field) { json[key] = field; });
  json["hidden_act"] = "gelu";
  json["pad_token_id"] = 0;
  json["type_vocab_size"] = 2;
  return json.dump(2) + "\n";
}

}  // namespace lodestone
