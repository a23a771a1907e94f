#include "data/gene_mapping.h"

#include <algorithm>

#include "data/gene_table.h"
#include "engine/core/check.h"

namespace lodestone {
namespace {

constexpr double kMajority = 0.99;

using GeneIds = std::vector<std::optional<GeneId>>;

// The one species that all labelled cells of an obs column name.
std::optional<Species> species_of_obs(const CellSource& source) {
  for (const ObsColumn& column : source.obs()) {
    if (column.name != "species" && column.name != "organism") continue;
    std::optional<Species> all;
    bool consistent = true;
    for (const std::int32_t code : column.codes) {
      if (code < 0) continue;
      const auto one = parse_species(column.categories[static_cast<std::size_t>(code)]);
      consistent = consistent && one && (!all || all == one);
      all = one;
    }
    if (consistent && all) return all;
  }
  return {};
}

Species species_of_genes(const CellSource& source, const GeneIds& ids,
                         std::optional<Species> cells) {
  std::int64_t human = 0, mouse = 0;
  for (const auto& id : ids)
    if (id) ++(id->species == Species::kHuman ? human : mouse);
  check_input(human + mouse > 0,
              "{}: none of its {} genes is a human or mouse Ensembl id such as {}; found '{}', "
              "give the file a var column of Ensembl ids",
              source.path().string(), ids.size(), "ENSG00000139618",
              ids.empty() ? "" : source.genes()[0].id);
  const auto majority = static_cast<double>(std::max(human, mouse));
  if (majority > kMajority * static_cast<double>(human + mouse))
    return human > mouse ? Species::kHuman : Species::kMouse;
  if (!cells)
    fail(ErrorKind::kBadInput,
         "{}: mixes {} human and {} mouse genes, expected more than 99 % of one species; say "
         "which cells it holds with --species human or --species mouse",
         source.path().string(), human, mouse);
  return *cells;
}

bool is_coding(const GeneToken& gene) {
  return gene.biotype == "protein_coding" || gene.biotype == "miRNA";
}

// Fills the entries of one column that has an Ensembl id.
void map_gene(GeneMapping& mapping, std::size_t column, const GeneToken* gene) {
  if (gene == nullptr) {
    ++mapping.not_in_vocabulary;
    return;
  }
  ++mapping.mapped;
  mapping.own_token[column] = gene->id;
  mapping.coding[column] = is_coding(*gene);
  mapping.has_biotypes = mapping.has_biotypes || !gene->biotype.empty();
}

}  // namespace

GeneMapping map_genes(const CellSource& source, const Vocabulary& vocabulary,
                      std::optional<Species> given) {
  const GeneIds ids = gene_ids_of(source);
  const auto obs = species_of_obs(source);
  const auto cells = given ? given : obs;
  const Species genes = species_of_genes(source, ids, cells);
  GeneMapping mapping;
  mapping.species = cells.value_or(genes);
  mapping.species_source = given ? "option" : obs ? "obs column species" : "gene ids";
  mapping.own_token.assign(ids.size(), -1);
  mapping.coding.assign(ids.size(), 0);
  mapping.mitochondrial.assign(ids.size(), 0);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::optional<GeneId>& id = ids[i];
    const GeneToken* known = id ? vocabulary.find(id->stem) : nullptr;
    const bool has_symbol = known != nullptr && !known->symbol.empty();
    mapping.mitochondrial[i] =
        is_mitochondrial(has_symbol ? known->symbol : source.genes()[i].symbol);
    if (!id)
      ++mapping.not_ensembl;
    else if (id->species != genes)
      ++mapping.other_species;
    else
      map_gene(mapping, i, known);
  }
  check_input(mapping.mapped > 0,
              "{}: none of its {} genes is in the vocabulary; expected {} genes with Ensembl ids "
              "such as those of the vocabulary, found '{}'",
              source.path().string(), ids.size(), name_of(genes), source.genes()[0].id);
  if (!mapping.has_biotypes)
    for (std::size_t i = 0; i < ids.size(); ++i) mapping.coding[i] = mapping.own_token[i] >= 0;
  return mapping;
}

}  // namespace lodestone
