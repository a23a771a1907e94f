#pragma once
// What became of the cells and genes of data sets on their way to tokens.
#include <cstdint>
#include <string>
#include <vector>

#include "data/gene_mapping.h"
#include "data/quality_control.h"

namespace lodestone {

struct FileReport {
  std::string file, matrix, species, species_source;
  std::int64_t cells = 0, kept = 0;  // read; written
  std::int64_t no_counts = 0, total_outliers = 0, mitochondrial_outliers = 0, few_genes = 0;
  std::int64_t genes = 0, mapped = 0, not_in_vocabulary = 0, not_ensembl = 0, other_species = 0;
  double counts_lost = 0;  // share of all counts that are of unmapped genes
  double mean_length = 0, median_length = 0;
  std::int64_t longest = 0, truncated = 0, tokens = 0;
  std::vector<std::string> notes;  // rules that did not apply, in words
};

struct TokenizeReport {
  std::vector<FileReport> files;
  std::string medians;  // where they are from
  std::int64_t genes_with_median = 0;
  double target_total = 0;       // counts of a cell were scaled to this total; 0 = they were not
  std::vector<std::string> obs;  // columns written

  std::int64_t cells() const;   // written
  std::int64_t tokens() const;  // written
  std::string json() const;     // one object
  std::string table() const;    // for people; ends with a newline
};

// Cells are cut to `max_length` genes.
FileReport describe(const CellSource& source, const GeneMapping& mapping,
                    const QualityControl& quality, std::int64_t max_length);

}  // namespace lodestone
