#include "data/gene_id.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace lodestone {
namespace {

constexpr std::size_t kIdDigits = 11;

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<GeneId> parse_gene_id(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Species>, 2> kPrefixes = {
      {{"ENSMUSG", Species::kMouse}, {"ENSG", Species::kHuman}}};
  for (const auto& [prefix, species] : kPrefixes) {
    if (!text.starts_with(prefix)) continue;
    const std::size_t stem = prefix.size() + kIdDigits;
    if (text.size() < stem || !all_digits(text.substr(prefix.size(), kIdDigits))) return {};
    const std::string_view version = text.substr(stem);
    if (!version.empty() && (version[0] != '.' || !all_digits(version.substr(1)))) return {};
    return GeneId{species, text.substr(0, stem)};
  }
  return {};
}

std::string_view name_of(Species species) {
  return species == Species::kHuman ? "human" : "mouse";
}

std::optional<Species> parse_species(std::string_view text) {
  std::string word(text);
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = ' ';
  }
  for (const char* name : {"human", "homo sapiens", "h. sapiens", "hs", "ncbitaxon:9606", "9606"})
    if (word == name) return Species::kHuman;
  for (const char* name :
       {"mouse", "mus musculus", "m. musculus", "mm", "ncbitaxon:10090", "10090"})
    if (word == name) return Species::kMouse;
  return {};
}

bool is_mitochondrial(std::string_view symbol) {
  return symbol.starts_with("MT-") || symbol.starts_with("mt-");
}

}  // namespace lodestone
