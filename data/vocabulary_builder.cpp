#include "data/vocabulary_builder.h"

#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "engine/core/check.h"

namespace lodestone {
namespace {

// In token order: by species, then by id.
using Genes = std::map<std::pair<Species, std::string>, Gene>;

Genes merge(const std::vector<GeneTable>& tables) {
  Genes merged;
  for (const GeneTable& table : tables) {
    for (const Gene& gene : table.genes) {
      const auto [entry, is_new] = merged.try_emplace({gene.species, gene.id}, gene);
      if (entry->second.symbol.empty()) entry->second.symbol = gene.symbol;
      if (entry->second.biotype.empty()) entry->second.biotype = gene.biotype;
    }
  }
  return merged;
}

// The ids that data sets measure, and the homologues of these.
std::unordered_set<std::string> measured_ids(const VocabularySources& sources, const Genes& known,
                                             std::int64_t& unknown) {
  std::unordered_set<std::string> ids;
  for (const GeneTable& table : sources.measured) {
    for (const Gene& gene : table.genes) {
      const bool is_new = ids.insert(gene.id).second;
      if (is_new && !known.contains({gene.species, gene.id})) ++unknown;
    }
  }
  if (!sources.orthologs) return ids;
  for (const Ortholog& pair : sources.orthologs->one_to_one) {
    if (ids.contains(pair.human))
      ids.insert(pair.mouse);
    else if (ids.contains(pair.mouse))
      ids.insert(pair.human);
  }
  return ids;
}

std::vector<std::string> names_of(const VocabularySources& sources) {
  std::vector<std::string> names;
  names.reserve(sources.tables.size() + 1 + sources.measured.size());
  for (const GeneTable& table : sources.tables) names.push_back(table.source);
  if (sources.orthologs) names.push_back(sources.orthologs->source);
  for (const GeneTable& table : sources.measured) names.push_back(table.source);
  return names;
}

// The mouse token that shares each human token, of the pairs whose genes both have one.
std::map<std::int32_t, std::int32_t> homologous_tokens(
    const VocabularySources& sources, const std::map<std::string, std::int32_t>& id_of_gene) {
  std::map<std::int32_t, std::int32_t> homologous;
  if (!sources.orthologs) return homologous;
  for (const Ortholog& pair : sources.orthologs->one_to_one) {
    const auto human = id_of_gene.find(pair.human), mouse = id_of_gene.find(pair.mouse);
    if (human != id_of_gene.end() && mouse != id_of_gene.end())
      homologous.emplace(human->second, mouse->second);
  }
  return homologous;
}

}  // namespace

BuiltVocabulary build_vocabulary(const VocabularySources& sources) {
  BuiltVocabulary built;
  Genes genes = merge(sources.tables);
  if (!sources.measured.empty()) {
    const auto ids = measured_ids(sources, genes, built.measured_unknown);
    std::erase_if(genes, [&](const auto& gene) { return !ids.contains(gene.second.id); });
  }
  check_input(!genes.empty(),
              "vocabulary: no gene is left; expected data sets and gene tables with the same "
              "Ensembl ids of human or mouse");
  std::vector<GeneToken> tokens;
  std::map<std::string, std::int32_t> id_of_gene;
  for (const auto& [key, gene] : genes) {
    const auto id = static_cast<std::int32_t>(kSpecialTokens + tokens.size());
    tokens.push_back({id, gene.id, gene.symbol, gene.species, gene.biotype, {}});
    id_of_gene.emplace(gene.id, id);
    ++(gene.species == Species::kHuman ? built.human : built.mouse);
    built.without_biotype += gene.biotype.empty();
  }
  const auto homologous = homologous_tokens(sources, id_of_gene);
  built.homologous = static_cast<std::int64_t>(homologous.size());
  built.vocabulary =
      Vocabulary(std::move(tokens), {homologous.begin(), homologous.end()}, names_of(sources));
  return built;
}

}  // namespace lodestone
