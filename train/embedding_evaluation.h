#pragma once
// How well embeddings keep cells of one label together: k nearest neighbours, beside principal
// components of log-normalised counts and beside the same network with random weights.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "train/cell_embedding.h"

namespace lodestone {

struct EmbeddingEvaluationConfig {
  std::string label = "cell_type";
  std::int64_t neighbours = 5;
  std::int64_t components = 50;
  std::uint64_t random_seed = 1;
  EmbeddingConfig embedding;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("label", label, "obs column of the labels");
    visit("neighbours", neighbours, "nearest neighbours that vote");
    visit("components", components, "principal components of the baseline");
    visit("random_seed", random_seed, "of the untrained network");
    visit("embedding", embedding, "how cells are embedded");
  }
};

struct LabelScore {
  std::string method;  // "model", "random weights", "PCA"
  double accuracy = 0, macro_f1 = 0;
};

// Labels of the cells of `query` from their neighbours in `reference`. When both are one file, each
// cell is left out of its own neighbours.
struct EmbeddingScore {
  std::string reference, query;  // file names without .h5ad; paths where several have one name
  std::int64_t reference_cells = 0, query_cells = 0, labels = 0;
  std::vector<LabelScore> methods;
};

// Every file on its own, and every ordered pair of files of different species that share labels.
// Cells without a label are left out; so are query cells whose label the reference lacks. Distances
// are Euclidean, in spaces centred per file: what a file as a whole differs in is not about its
// cells. The components of a file are of log(1 + 10,000 * count / total) over all its genes; of a
// pair, over the genes that both write with the same token; without such genes the pair has no
// "PCA". Throws kBadInput when a file lacks the label column, before
// anything is embedded.
std::vector<EmbeddingScore> evaluate_embedding(const Model& model, const Vocabulary& vocabulary,
                                               std::span<const std::unique_ptr<CellSource>> files,
                                               const EmbeddingEvaluationConfig& config);

std::string to_json(const std::vector<EmbeddingScore>& scores);
std::string to_table(const std::vector<EmbeddingScore>& scores);

}  // namespace lodestone
