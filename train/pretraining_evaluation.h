#pragma once
// How well a model fills in what it has not seen: held-out cells, at the positions that show
// <mask>, beside baselines that know only the training cells or the cell's own unmasked genes.
#include <cstdint>
#include <functional>
#include <string>

#include "data/loader.h"
#include "model/model_directory.h"

namespace lodestone {

// Means over the positions that show <mask>.
struct PretrainingScore {
  std::int64_t training_cells = 0, held_out_cells = 0, positions = 0;

  // Cross entropy of the masked gene, in nats.
  double gene_model = 0;
  double gene_frequency = 0;          // by how often a gene occurs in the training cells
  double gene_species_frequency = 0;  // the same within the cell's species

  // Squared error of the masked value, (log2 units)^2.
  double value_model = 0;
  double value_gene_mean = 0;  // the mean of that gene in the training cells of its species
  double value_interpolation =
      0;  // between the nearest positions of the cell that show their value

  std::string json() const;   // one object
  std::string table() const;  // for people; ends with a newline
};

// `batches` gives lengths, mask probability, seed and token budget; masks are those of one fixed
// epoch. Frequencies have one count added to every gene of the vocabulary.
// A gene without training cells takes the mean of all values. Interpolation is linear in rank;
// where only one side shows a value, it takes that. Throws kInvalidArgument when a side of the
// split is empty or the vocabularies differ, kBadInput when no position shows <mask>, kNumeric when
// a loss is not finite.
PretrainingScore evaluate_pretraining(
    const Model& model, const TokenDirectory& cells, const Split& split,
    const LoaderConfig& batches,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

}  // namespace lodestone
