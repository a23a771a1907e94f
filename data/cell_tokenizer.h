#pragma once
// The counts of one cell to ranked tokens (spec section 1, "Values").
#include <cstdint>
#include <span>
#include <vector>

#include "data/gene_mapping.h"
#include "data/vocabulary.h"

namespace lodestone {

struct ValueOptions {
  bool normalise_total = false;    // divide by the cell's total first ...
  double target_total = 10000;     // ... and multiply by this
  std::int64_t max_length = 2048;  // genes kept of a cell, the highest values first
};

// A count before it is divided by its gene's median; `cell_total` is over all genes of the file.
double normalised_count(double count, double cell_total, const ValueOptions& options);

struct RankedGenes {
  std::vector<std::uint32_t> tokens;  // by value, descending; ties by token, ascending
  std::vector<float> values;          // > 0
  bool truncated = false;             // genes were left out because of max_length
};

class CellTokenizer {
 public:
  // The medians are those of the vocabulary; a gene without one uses 1.
  CellTokenizer(const GeneMapping& mapping, const Vocabulary& vocabulary,
                const ValueOptions& options);
  // The expressed genes of a cell, as columns of the file, and their counts. Genes outside the
  // vocabulary are left out. Throws kBadInput when a value is too small or too large for a float.
  RankedGenes operator()(std::span<const std::int32_t> genes, std::span<const float> counts,
                         double cell_total) const;
  // The same into `result`, whose memory is used again.
  void rank(std::span<const std::int32_t> genes, std::span<const float> counts, double cell_total,
            RankedGenes& result) const;

 private:
  float value(std::size_t gene, float count, double cell_total) const;
  std::uint64_t key(std::size_t gene, float value) const;

  ValueOptions options_;
  int token_bits_;
  // Per column of the file.
  std::vector<std::int32_t> written_token_;  // -1 = not in the vocabulary
  std::vector<double> median_;
  std::vector<float> small_values_;  // [columns, kSmallCounts] of whole counts, unless normalised
};

}  // namespace lodestone
