#include "data/vocabulary.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/gene_id.h"
#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

// Bytes of a gene table that are no UTF-8 are replaced.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void check_median(const GeneToken& token, std::optional<double> median) {
  check_input(!median || (std::isfinite(*median) && *median > 0),
              "vocabulary: token {}: the median of {} is {}, expected a number above 0", token.id,
              token.gene, median.value_or(0));
}

void check_token(const GeneToken& token, std::size_t index) {
  const std::int64_t expected = kSpecialTokens + static_cast<std::int64_t>(index);
  check_input(token.id == expected,
              "vocabulary: token ids must count from {} without gaps, expected {} and found {}",
              kSpecialTokens, expected, token.id);
  const auto gene = parse_gene_id(token.gene);
  check_input(
      gene && gene->stem == token.gene && gene->species == token.species,
      "vocabulary: token {}: gene '{}' is not an Ensembl gene id without version of species "
      "{}",
      token.id, token.gene, name_of(token.species));
  check_median(token, token.median);
}

// The species of the token that an id names; the id is checked.
Species species_of(const std::vector<GeneToken>& tokens, std::int32_t id) {
  check_input(id >= kSpecialTokens && static_cast<std::size_t>(id - kSpecialTokens) < tokens.size(),
              "vocabulary: homologous pair names token {}, expected an id from {} to {}", id,
              kSpecialTokens, kSpecialTokens + static_cast<std::int64_t>(tokens.size()) - 1);
  return tokens[static_cast<std::size_t>(id - kSpecialTokens)].species;
}

// JSON numbers are converted silently, so their range is checked here.
std::int32_t token_id(const Json& number) {
  check_input(number.is_number_integer() && number >= 0 && number <= INT32_MAX,
              "a token id is {}, expected an integer of 31 bits", number.dump());
  return number.get<std::int32_t>();
}

std::pair<std::int32_t, std::int32_t> pair_from(const Json& pair) {
  check_input(pair.is_array() && pair.size() == 2,
              "homologous holds {}, expected [human token, mouse token]", pair.dump());
  return {token_id(pair[0]), token_id(pair[1])};
}

GeneToken token_from(const Json& entry) {
  const auto species = parse_species(entry.at("species").get<std::string>());
  if (!species)
    fail(ErrorKind::kBadInput, "species is '{}', expected human or mouse",
         entry.at("species").get<std::string>());
  GeneToken token{token_id(entry.at("id")),   entry.at("gene").get<std::string>(),
                  entry.value("symbol", ""),  *species,
                  entry.value("biotype", ""), {}};
  if (entry.contains("median") && !entry["median"].is_null())
    token.median = entry["median"].get<double>();
  return token;
}

Vocabulary vocabulary_from(const Json& file) {
  check_input(file.at("version") == kFormatVersion, "version is {}, expected {}",
              file["version"].dump(), kFormatVersion);
  std::vector<GeneToken> tokens;
  for (const Json& entry : file.at("tokens")) {
    // Published dictionaries list the two special tokens; ours leaves them out.
    if (token_id(entry.at("id")) >= kSpecialTokens) tokens.push_back(token_from(entry));
  }
  std::vector<std::pair<std::int32_t, std::int32_t>> homologous;
  for (const Json& pair : file.at("homologous")) homologous.push_back(pair_from(pair));
  return {std::move(tokens), std::move(homologous),
          file.value("sources", std::vector<std::string>{})};
}

Json json_of(const GeneToken& token) {
  Json entry = {{"id", token.id},
                {"gene", token.gene},
                {"symbol", token.symbol},
                {"species", name_of(token.species)},
                {"biotype", token.biotype}};
  if (token.median) entry["median"] = *token.median;
  return entry;
}

// A JSON array with one element a line, so that files can be read and compared.
std::string lines_of(const std::vector<std::string>& elements) {
  return elements.empty() ? "[]" : fmt::format("[\n{}\n]", fmt::join(elements, ",\n"));
}

}  // namespace

Vocabulary::Vocabulary(std::vector<GeneToken> tokens,
                       std::vector<std::pair<std::int32_t, std::int32_t>> homologous,
                       std::vector<std::string> sources)
    : tokens_(std::move(tokens)), homologous_(std::move(homologous)), sources_(std::move(sources)) {
  check_input(!tokens_.empty(), "vocabulary: holds no gene");
  std::sort(tokens_.begin(), tokens_.end(),
            [](const GeneToken& a, const GeneToken& b) { return a.id < b.id; });
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    check_token(tokens_[i], i);
    const bool is_new = id_of_gene_.emplace(tokens_[i].gene, tokens_[i].id).second;
    check_input(is_new, "vocabulary: gene {} has two tokens, {} and {}", tokens_[i].gene,
                id_of_gene_[tokens_[i].gene], tokens_[i].id);
  }
  std::unordered_map<std::int32_t, std::int32_t> mouse_of_human;
  for (const auto& [human, mouse] : homologous_) {
    check_input(species_of(tokens_, human) == Species::kHuman &&
                    species_of(tokens_, mouse) == Species::kMouse,
                "vocabulary: homologous pair ({}, {}) must be a human and a mouse token", human,
                mouse);
    const bool is_new =
        mouse_of_human.emplace(human, mouse).second && human_of_mouse_.emplace(mouse, human).second;
    check_input(is_new, "vocabulary: a token of homologous pair ({}, {}) is in another pair too",
                human, mouse);
  }
}

Vocabulary Vocabulary::load(const std::filesystem::path& path) {
  const Json file = Json::parse(read_text(path), nullptr, /*allow_exceptions=*/false);
  check_input(!file.is_discarded(),
              "{}: is not a vocabulary: it is no JSON; give a file of `lodestone vocab`",
              path.string());
  try {
    return vocabulary_from(file);
  } catch (const Json::exception& error) {
    fail(ErrorKind::kBadInput,
         "{}: is not a vocabulary, expected version {} of vocab.json with version, tokens and "
         "homologous: {}",
         path.string(), kFormatVersion, error.what());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) throw;
    fail(ErrorKind::kBadInput, "{}: {}", path.string(), error.what());
  }
}

std::string Vocabulary::text() const {
  std::vector<std::string> tokens, pairs;
  for (const GeneToken& token : tokens_) tokens.push_back(text_of(json_of(token)));
  for (const auto& [human, mouse] : homologous_)
    pairs.push_back(fmt::format("[{},{}]", human, mouse));
  return fmt::format(
      "{{\n\"version\": {},\n\"tokens\": {},\n\"homologous\": {},\n"
      "\"sources\": {}\n}}\n",
      kFormatVersion, lines_of(tokens), lines_of(pairs), text_of(Json(sources_)));
}

void Vocabulary::save(const std::filesystem::path& path) const {
  write_text(path, text());
}

const GeneToken* Vocabulary::find(std::string_view gene) const {
  const auto found = id_of_gene_.find(std::string(gene));
  return found == id_of_gene_.end() ? nullptr : &token(found->second);
}

std::int32_t Vocabulary::written_id(const GeneToken& own) const {
  const auto human = human_of_mouse_.find(own.id);
  return human == human_of_mouse_.end() ? own.id : human->second;
}

std::vector<std::int32_t> Vocabulary::homologous_index() const {
  std::vector<std::int32_t> index(static_cast<std::size_t>(size()));
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::int32_t>(i);
  for (const auto& [human, mouse] : homologous_) index[static_cast<std::size_t>(human)] = mouse;
  return index;
}

void Vocabulary::set_median(std::int32_t own_id, std::optional<double> median) {
  check(own_id >= kSpecialTokens && own_id < size(), "vocabulary: no gene has token {}", own_id);
  GeneToken& token = tokens_[static_cast<std::size_t>(own_id - kSpecialTokens)];
  check_median(token, median);
  token.median = median;
}

}  // namespace lodestone
