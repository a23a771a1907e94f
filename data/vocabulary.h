#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/batch.h"

namespace lodestone {

struct GeneToken {
  std::int32_t id = 0;  // kSpecialTokens and up
  std::string gene;     // Ensembl id without version
  std::string symbol;
  Species species = Species::kHuman;
  std::string biotype;           // "protein_coding", "miRNA", ...; empty when unknown
  std::optional<double> median;  // non-zero median of normalised counts over the corpus
};

// Which token stands for which gene (spec section 1). Every gene of both species has a token of its
// own; a mouse gene with a one-to-one human homologue is *written* with the human token.
// File: vocab.json, version 1 (design/cli.md). Ids 0 and 1 are <pad> and <mask>.
class Vocabulary {
 public:
  Vocabulary() = default;
  // Ids must be kSpecialTokens .. kSpecialTokens + tokens.size() - 1, each once; gene ids unique;
  // homologous pairs (human token, mouse token) one-to-one. Throws kBadInput otherwise.
  Vocabulary(std::vector<GeneToken> tokens,
             std::vector<std::pair<std::int32_t, std::int32_t>> homologous,
             std::vector<std::string> sources);
  static Vocabulary load(const std::filesystem::path& path);
  void save(const std::filesystem::path& path) const;
  std::string text() const;  // what save() writes

  std::int64_t size() const { return kSpecialTokens + static_cast<std::int64_t>(tokens_.size()); }
  const std::vector<GeneToken>& tokens() const { return tokens_; }  // by id
  const std::vector<std::pair<std::int32_t, std::int32_t>>& homologous() const {
    return homologous_;
  }
  // The gene's own entry by Ensembl id (no version), or null.
  const GeneToken* find(std::string_view gene) const;
  const GeneToken& token(std::int32_t id) const {
    return tokens_[static_cast<std::size_t>(id - kSpecialTokens)];
  }
  // The id a gene is written with: the human homologue's for a mouse gene that has one.
  std::int32_t written_id(const GeneToken& own) const;
  // [size()]: maps a human token to its mouse homologue's, everything else to itself.
  std::vector<std::int32_t> homologous_index() const;
  // Nothing = none. Throws kBadInput unless finite and > 0.
  void set_median(std::int32_t own_id, std::optional<double> median);

 private:
  std::vector<GeneToken> tokens_;
  std::vector<std::pair<std::int32_t, std::int32_t>> homologous_;
  std::vector<std::string> sources_;
  std::unordered_map<std::string, std::int32_t> id_of_gene_;
  std::unordered_map<std::int32_t, std::int32_t> human_of_mouse_;
};

}  // namespace lodestone
