#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "data/gene_id.h"
#include "model/batch.h"

namespace lodestone {

struct Gene {
  std::string id;  // Ensembl, without version
  std::string symbol;
  std::string biotype;  // "protein_coding", "miRNA", ...; empty when unknown
  Species species = Species::kHuman;
};

struct GeneTable {
  std::string source;
  std::vector<Gene> genes;   // each id once
  std::int64_t skipped = 0;  // rows without an id, or whose id is no human or mouse Ensembl gene
};

// A tab-separated table, plain or gzip, with a header. Columns: the Ensembl id (ensembl_id,
// ensembl_gene_id, gene_id, ...), and, where present, the symbol and either the biotype or the
// flags is_protein_coding and is_mirna (0/1). Throws kBadInput, naming file and line, for a missing
// id column, an id that occurs twice, a flag that is neither 0 nor 1, or no gene at all.
GeneTable read_gene_table(const std::filesystem::path& path);

// The parsed ids of a data set's genes, by column; nothing where a column is no human or mouse
// Ensembl gene. Parts of source.genes(). Throws kBadInput, naming both, when two columns are the
// same gene after versions are dropped.
std::vector<std::optional<GeneId>> gene_ids_of(const CellSource& source);

// The genes that a data set measures. Throws as gene_ids_of.
GeneTable genes_of(const CellSource& source);

struct Ortholog {
  std::string human, mouse;  // Ensembl, without version
};

struct OrthologTable {
  std::string source;
  std::vector<Ortholog> one_to_one;  // neither id occurs twice
  std::int64_t skipped = 0;          // rows that lack an id
  std::int64_t not_one_to_one = 0;   // rows
};

// Columns: the human and the mouse Ensembl id and, where present, one2one (0/1, or the ortholog
// types of Ensembl); without it a pair is one-to-one when neither id occurs in another pair. Throws
// kBadInput, naming file and line, when two rows that claim one-to-one share an id.
OrthologTable read_ortholog_table(const std::filesystem::path& path);

}  // namespace lodestone
