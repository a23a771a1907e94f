#include "train/run_inputs.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "data/priors.h"
#include "data/vocabulary.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

// Of what the cells are: the hashes of the shards, not the time and place of their making.
std::string hash_of_cells(const TokenDirectory& data) {
  const auto manifest = nlohmann::json::parse(data.manifest());
  const std::string shards = manifest.at("shards").dump();
  return hash_bytes(std::as_bytes(std::span(shards)));
}

bool& prior_switch(ModelConfig& model, const std::string& name) {
  if (name == "promoter") return model.use_promoter;
  if (name == "co_exp") return model.use_co_exp;
  if (name == "gene_family") return model.use_gene_family;
  check(name == "peca_grn", "there is no prior named {}", name);
  return model.use_peca_grn;
}

// The tables of the file that the model uses; priors that are on but not in the file are switched
// off.
std::vector<PriorTable> read_priors(TrainConfig& config) {
  std::vector<PriorTable> tables;
  if (!config.priors.empty()) tables = load_priors(config.priors);
  const auto has = [&](const std::string& name) {
    return std::ranges::any_of(tables, [&](const PriorTable& t) { return t.name == name; });
  };
  std::vector<std::string> absent;
  for (const std::string& name : config.model.priors())
    if (!has(name)) absent.push_back(name);
  for (const std::string& name : absent) prior_switch(config.model, name) = false;
  if (!absent.empty())
    log::info("switched off, because {}: {}",
              config.priors.empty() ? "no priors were given"
                                    : fmt::format("{} does not hold them", config.priors),
              fmt::join(absent, ", "));
  std::erase_if(tables, [&](const PriorTable& t) { return !prior_switch(config.model, t.name); });
  return tables;
}

void check_vocabulary_size(std::int64_t size, std::int64_t of_data, const std::string& what) {
  check_input(size == of_data,
              "{}: has {} tokens, but the cells were written with a vocabulary of {}; give the one "
              "they were tokenised with",
              what, size, of_data);
}

// A vocabulary with other medians would rank the cells of later files otherwise than in training.
void check_same_vocabulary(const TrainConfig& config, const fs::path& own) {
  const Vocabulary given = Vocabulary::load(config.vocab), tokenised = Vocabulary::load(own);
  const auto same = [](const GeneToken& a, const GeneToken& b) {
    return a.gene == b.gene && a.median == b.median;
  };
  check_input(std::ranges::equal(given.tokens(), tokenised.tokens(), same) &&
                  given.homologous() == tokenised.homologous(),
              "{}: genes, medians or homologous pairs differ from those of {}, with which the "
              "cells were tokenised; leave vocab out to use that one",
              config.vocab, own.string());
}

// What the cells' counts were scaled to before they became values; 0 = they were not.
double target_total(const TokenDirectory& data) {
  const auto manifest = nlohmann::json::parse(data.manifest());
  return manifest.value("/tokenize/target_total"_json_pointer, 0.0);
}

std::unique_ptr<Model> new_model(TrainConfig& config, const TokenDirectory& data,
                                 const std::optional<Vocabulary>& vocabulary) {
  if (config.model.vocabulary == 0) config.model.vocabulary = data.vocabulary_size();
  config.model.target_total = target_total(data);
  check_vocabulary_size(config.model.vocabulary, data.vocabulary_size(), "model.vocabulary");
  const std::vector<PriorTable> priors = read_priors(config);
  for (const PriorTable& prior : priors) {
    check_vocabulary_size(prior.values.shape()[0], data.vocabulary_size(), config.priors);
    if (config.model.prior_width == 0) config.model.prior_width = prior.width();
    check_input(
        config.model.prior_width == prior.width(),
        "{}: vectors have {} numbers, model.prior_width is {}; set it to 0 to take the file's",
        config.priors, prior.width(), config.model.prior_width);
  }
  auto model =
      std::make_unique<Model>(config.model, config.compute_type(), config.seed, config.device);
  for (const PriorTable& prior : priors) model->network.set_prior(prior.name, prior.values);
  if (vocabulary)
    model->network.set_homologous_index(vocabulary->homologous_index());
  else if (!priors.empty())
    log::warning("no vocabulary (vocab) was given: mouse cells use the human genes' priors");
  return model;
}

std::unique_ptr<Model> initial_model(TrainConfig& config, const TokenDirectory& data) {
  check(config.priors.empty(), "init and priors exclude each other: {} brings its own priors",
        config.init);
  auto model = load_model(config.init, config.compute_type(), {.device = config.device});
  config.model = model->network.config();
  check_vocabulary_size(config.model.vocabulary, data.vocabulary_size(), config.init);
  check_input(config.model.target_total == target_total(data),
              "{}: was trained on counts scaled to {} (0 = not scaled), the cells of {} to {}; "
              "tokenise them the same way",
              config.init, config.model.target_total, config.data, target_total(data));
  return model;
}

std::map<std::string, std::string> hashes_of(const TrainConfig& config,
                                             const TokenDirectory& data) {
  std::map<std::string, std::string> hashes{{"data", hash_of_cells(data)}};
  if (!config.priors.empty()) hashes["priors"] = hash_file(config.priors);
  if (!config.vocab.empty()) hashes["vocab"] = hash_file(config.vocab);
  return hashes;
}

// So that the run can be continued from another folder.
void make_absolute(std::string& path) {
  if (!path.empty()) path = fs::absolute(path).lexically_normal().string();
}

}  // namespace

RunInputs open_inputs(TrainConfig& config) {
  for (std::string* path : {&config.data, &config.priors, &config.vocab, &config.init})
    make_absolute(*path);
  const fs::path own = fs::path(config.data) / "vocab.json";
  if (config.vocab.empty() && fs::exists(own)) config.vocab = own.string();
  RunInputs inputs{TokenDirectory(config.data), nullptr, "", {}};
  std::optional<Vocabulary> vocabulary;
  if (!config.vocab.empty()) {
    vocabulary = Vocabulary::load(config.vocab);
    check_vocabulary_size(vocabulary->size(), inputs.data.vocabulary_size(), config.vocab);
    if (fs::exists(own)) check_same_vocabulary(config, own);
    inputs.vocabulary_json = read_text(config.vocab);
  }
  inputs.hashes = hashes_of(config, inputs.data);
  inputs.model = config.init.empty() ? new_model(config, inputs.data, vocabulary)
                                     : initial_model(config, inputs.data);
  check(config.loader.max_length <= config.model.max_positions,
        "loader.max_length is {} but the model has only model.max_positions = {}",
        config.loader.max_length, config.model.max_positions);
  return inputs;
}

}  // namespace lodestone
