#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "data/gene_table.h"
#include "data/vocabulary.h"

namespace lodestone {

// What goes into a vocabulary. Gene tables may overlap (those of data sets do): the first that
// knows a gene's symbol or biotype gives it.
struct VocabularySources {
  std::vector<GeneTable> tables;
  std::optional<OrthologTable> orthologs;  // without it no gene shares a token
  // Data sets: only the genes that one of them measures, and their one-to-one homologues, get a
  // token. Empty = every gene of the tables.
  std::vector<GeneTable> measured;
};

struct BuiltVocabulary {
  Vocabulary vocabulary;
  std::int64_t human = 0, mouse = 0;  // genes with a token
  std::int64_t homologous = 0;        // pairs that share one
  std::int64_t without_biotype = 0;
  std::int64_t measured_unknown = 0;  // genes of data sets that no table knows
};

// Tokens in a fixed order: human genes by Ensembl id, then mouse genes. Throws kBadInput when no
// gene is left.
BuiltVocabulary build_vocabulary(const VocabularySources& sources);

}  // namespace lodestone
