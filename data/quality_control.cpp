#include "data/quality_control.h"

#include <algorithm>
#include <cmath>

#include "engine/core/threads.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

constexpr std::int64_t kCellsPerThread = 64;

struct CellMeasures {
  double total = 0, mapped = 0, mitochondrial = 0;  // counts
  std::int32_t mapped_genes = 0, coding_genes = 0;  // expressed
};

CellMeasures measure(const CellBlock& block, std::int64_t cell, const GeneMapping& mapping) {
  CellMeasures measures;
  const auto begin = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell)]);
  const auto end = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell) + 1]);
  for (std::size_t i = begin; i < end; ++i) {
    const auto gene = static_cast<std::size_t>(block.genes[i]);
    const double count = block.counts[i];
    measures.total += count;
    const bool is_mapped = mapping.own_token[gene] >= 0;
    measures.mapped_genes += is_mapped;
    measures.mapped += is_mapped ? count : 0;
    measures.mitochondrial += mapping.mitochondrial[gene] ? count : 0;
    measures.coding_genes += mapping.coding[gene];
  }
  return measures;
}

std::vector<CellMeasures> measure_all(CellSource& source, const GeneMapping& mapping) {
  std::vector<CellMeasures> measures(static_cast<std::size_t>(source.cells()));
  for (std::int64_t begin = 0; begin < source.cells(); begin += source.block_cells()) {
    const std::int64_t end = std::min(source.cells(), begin + source.block_cells());
    const CellBlock block = source.read(begin, end);
    parallel_for(block.cells(), kCellsPerThread, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t cell = first; cell < last; ++cell)
        measures[static_cast<std::size_t>(begin + cell)] = measure(block, cell, mapping);
    });
  }
  return measures;
}

bool is_outlier(double value, const Spread& spread, double z_score) {
  return spread.deviation > 0 && !(std::abs((value - spread.mean) / spread.deviation) < z_score);
}

}  // namespace

std::int64_t QualityControl::count(Verdict verdict) const {
  return std::count(verdicts.begin(), verdicts.end(), verdict);
}

Spread spread_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  if (*least == *greatest) return {*least, 0};
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / n)};
}

QualityControl control_quality(CellSource& source, const GeneMapping& mapping,
                               const QualityLimits& limits) {
  const std::vector<CellMeasures> measures = measure_all(source, mapping);
  QualityControl result;
  std::vector<double> totals, fractions;
  for (const CellMeasures& cell : measures) {
    result.counts += cell.total;
    result.mapped_counts += cell.mapped;
    result.totals.push_back(cell.total);
    result.mapped_genes.push_back(cell.mapped_genes);
    if (cell.total == 0) continue;
    totals.push_back(cell.total);
    fractions.push_back(cell.mitochondrial / cell.total);
  }
  result.total = spread_of(totals);
  result.mitochondrial = spread_of(fractions);
  for (const CellMeasures& cell : measures) {
    Verdict verdict = Verdict::kKept;
    if (cell.total == 0)
      verdict = Verdict::kNoCounts;
    else if (is_outlier(cell.total, result.total, limits.z_score))
      verdict = Verdict::kTotal;
    else if (is_outlier(cell.mitochondrial / cell.total, result.mitochondrial, limits.z_score))
      verdict = Verdict::kMitochondrial;
    else if (cell.coding_genes < limits.coding_genes)
      verdict = Verdict::kFewGenes;
    result.verdicts.push_back(verdict);
  }
  return result;
}

void save_quality(const QualityControl& quality, const std::filesystem::path& path) {
  hdf5::File file = hdf5::File::create(path);
  const auto cells = static_cast<std::int64_t>(quality.verdicts.size());
  std::vector<std::uint8_t> verdicts;
  verdicts.reserve(quality.verdicts.size());
  for (const Verdict verdict : quality.verdicts)
    verdicts.push_back(static_cast<std::uint8_t>(verdict));
  file.create_numbers<std::uint8_t>("verdicts", {cells}, verdicts);
  file.create_numbers<double>("totals", {cells}, quality.totals);
  file.create_numbers<std::int32_t>("mapped_genes", {cells}, quality.mapped_genes);
  file.set_numbers_attribute<double>(
      "sums", {quality.total.mean, quality.total.deviation, quality.mitochondrial.mean,
               quality.mitochondrial.deviation, quality.counts, quality.mapped_counts});
  file.flush();
}

QualityControl load_quality(const std::filesystem::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  QualityControl quality;
  for (const std::uint8_t verdict : file.dataset("verdicts").read<std::uint8_t>())
    quality.verdicts.push_back(static_cast<Verdict>(verdict));
  quality.totals = file.dataset("totals").read<double>();
  quality.mapped_genes = file.dataset("mapped_genes").read<std::int32_t>();
  const std::vector<double> sums = file.numbers_attribute<double>("sums");
  quality.total = {sums.at(0), sums.at(1)};
  quality.mitochondrial = {sums.at(2), sums.at(3)};
  quality.counts = sums.at(4);
  quality.mapped_counts = sums.at(5);
  return quality;
}

}  // namespace lodestone
