#pragma once
// Cells to vectors: the CLS state, or the mean over the gene positions, of a chosen layer.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "data/cell_tokenizer.h"
#include "data/vocabulary.h"
#include "model/model_directory.h"

namespace lodestone {

enum class Pooling : std::uint8_t { kCls, kMean };

struct EmbeddingConfig {
  std::string pooling = "cls";
  std::int64_t layer = -1;
  std::string species = "auto";
  std::int64_t micro_batch_tokens = 8192;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("pooling", pooling, "cls (the cell's CLS state) or mean (over its genes)");
    visit("layer", layer, "0 = after the embedding, up to the model's layers; -1 = the last");
    visit("species", species, "of all cells: auto | human | mouse");
    visit("micro_batch_tokens", micro_batch_tokens, "most tokens computed at once");
  }
  // Throws kInvalidArgument unless the model has that pooling and layer.
  void validate(const ModelConfig& model) const;
  std::optional<Species> given_species() const;  // nothing = auto
  Pooling pooling_kind() const { return pooling == "mean" ? Pooling::kMean : Pooling::kCls; }
};

struct EmbeddingReport {
  std::int64_t cells = 0;
  std::int64_t truncated = 0;               // cells with more genes than the model has positions
  std::vector<std::int64_t> without_genes;  // cells with no gene of the vocabulary: a row of zeros
};

// Embeds every cell of `source`, in its order, block by block, and hands each block's rows
// [cells of the block, hidden] to `sink`. Genes are valued and ranked as the model was trained.
// Throws kBadInput when the vocabulary does not fit the model or no gene is known, kNumeric when a
// state is not finite.
using EmbeddingSink = std::function<void(std::span<const float> rows)>;
using EmbeddingProgress = std::function<void(std::int64_t done, std::int64_t total)>;
EmbeddingReport embed_cells(CellSource& source, const Vocabulary& vocabulary, const Model& model,
                            const EmbeddingConfig& config, const EmbeddingSink& sink,
                            const EmbeddingProgress& progress = {});

}  // namespace lodestone
