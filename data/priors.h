#pragma once
// Prior-knowledge tables: one vector per token (spec section 2). File: priors.h5 (design/cli.md).
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/gene_vectors.h"
#include "data/vocabulary.h"
#include "engine/tensor.h"

namespace lodestone {

// In the order of the published model.
inline constexpr std::array<std::string_view, 4> kPriorNames = {"promoter", "co_exp", "gene_family",
                                                                "peca_grn"};

struct PriorTable {
  std::string name;    // one of kPriorNames
  Tensor values;       // f32 [V, P]: zeros where absent; a row belongs to the token's own gene
  Tensor present;      // u8 [V]: 1 where the source has the gene
  std::string source;  // files it was made from

  std::int64_t width() const { return values.shape()[1]; }
};

struct PriorImport {
  PriorTable table;
  std::int64_t rows = 0;       // of the source
  std::int64_t mapped = 0;     // to a token
  std::int64_t unknown = 0;    // genes that the vocabulary lacks
  std::int64_t ambiguous = 0;  // symbols that several genes share
};

// Finds the token of every row by Ensembl id (any version), else by symbol; `species` restricts
// symbols to that species' genes. `width` >= the vectors' own adds zeros at their end, which a
// linear layer does not see; 0 = their own. Throws kBadInput when two rows are the same gene or no
// row is known, kInvalidArgument for an unknown name or a width that is too small.
PriorImport import_prior(const std::string& name, const GeneVectors& vectors,
                         const Vocabulary& vocabulary, std::optional<Species> species,
                         std::int64_t width);

// Published whole. All tables have the same V and P, each name at most once.
void save_priors(const std::filesystem::path& path, const std::vector<PriorTable>& tables);

// The tables of a file, in the order of kPriorNames; at least one. Throws kBadInput for unknown
// names, shapes that do not agree and values that are not finite.
std::vector<PriorTable> load_priors(const std::filesystem::path& path);

}  // namespace lodestone
