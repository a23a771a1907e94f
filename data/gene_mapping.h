#pragma once
// What the columns of a data set mean to a vocabulary.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "data/vocabulary.h"

namespace lodestone {

struct GeneMapping {
  Species species = Species::kHuman;  // of the cells
  std::string species_source;         // "option", "obs column species" or "gene ids"

  // Per column of the file.
  std::vector<std::int32_t> own_token;      // the gene's own id, -1 = not in the vocabulary
  std::vector<std::uint8_t> coding;         // in the vocabulary, and protein-coding or miRNA
  std::vector<std::uint8_t> mitochondrial;  // by its symbol, whether in the vocabulary or not

  std::int64_t mapped = 0;             // columns in the vocabulary
  std::int64_t not_in_vocabulary = 0;  // Ensembl genes that are not
  std::int64_t not_ensembl = 0;        // columns that are no human or mouse Ensembl gene
  std::int64_t other_species = 0;      // genes of the other species, left out
  // False when the vocabulary knows no biotype of any mapped gene: then all of them count as
  // coding.
  bool has_biotypes = false;

  std::int64_t genes() const { return static_cast<std::int64_t>(own_token.size()); }
};

// The species of the cells is `given`, else that of the obs column "species" (or "organism") when
// all its cells name one, else that of the gene ids. The genes used are those of the species that
// more than 99 % of the ids belong to, else those of the cells' species where it is known. Throws
// kBadInput when the ids are a mixture and nothing says which species is meant, when a gene occurs
// twice, or when no gene is in the vocabulary.
GeneMapping map_genes(const CellSource& source, const Vocabulary& vocabulary,
                      std::optional<Species> given);

}  // namespace lodestone
