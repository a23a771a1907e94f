#pragma once
// Which cells are kept (spec section 1, "Quality control").
#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/cell_source.h"
#include "data/gene_mapping.h"

namespace lodestone {

struct QualityLimits {
  double z_score = 3;             // |z| of the total and of the mitochondrial fraction is below it
  std::int64_t coding_genes = 7;  // expressed protein-coding or miRNA genes, at least
};

enum class Verdict : std::uint8_t { kKept, kNoCounts, kTotal, kMitochondrial, kFewGenes };

// Over the cells of a data set that have counts.
struct Spread {
  double mean = 0;
  double deviation = 0;  // of the population; 0 filters nothing
};

struct QualityControl {
  std::vector<Verdict> verdicts;           // [cells] the first reason in the order of Verdict
  std::vector<double> totals;              // [cells] over all genes of the file
  std::vector<std::int32_t> mapped_genes;  // [cells] expressed, and in the vocabulary
  Spread total, mitochondrial;
  double counts = 0, mapped_counts = 0;  // of all cells; of genes in the vocabulary

  std::int64_t count(Verdict verdict) const;
};

// Mean and population deviation, which is exactly 0 when all values are equal; {0, 0} of nothing.
Spread spread_of(const std::vector<double>& values);

// Reads every cell of the data set once.
QualityControl control_quality(CellSource& source, const GeneMapping& mapping,
                               const QualityLimits& limits);

// As a file, so that a job that was cut short need not read the cells again. What is loaded is what
// was saved; the caller knows that the file is whole.
void save_quality(const QualityControl& quality, const std::filesystem::path& path);
QualityControl load_quality(const std::filesystem::path& path);

}  // namespace lodestone
