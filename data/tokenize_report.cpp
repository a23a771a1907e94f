#include "data/tokenize_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/gene_id.h"
#include "engine/core/check.h"

namespace lodestone {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const FileReport& file) {
  return {{"file", file.file},
          {"matrix", file.matrix},
          {"species", file.species},
          {"species_source", file.species_source},
          {"cells", file.cells},
          {"kept", file.kept},
          {"dropped",
           {{"no_counts", file.no_counts},
            {"total_outliers", file.total_outliers},
            {"mitochondrial_outliers", file.mitochondrial_outliers},
            {"few_genes", file.few_genes}}},
          {"genes", file.genes},
          {"mapped", file.mapped},
          {"unmapped",
           {{"not_in_vocabulary", file.not_in_vocabulary},
            {"not_ensembl", file.not_ensembl},
            {"other_species", file.other_species}}},
          {"counts_lost", file.counts_lost},
          {"tokens", file.tokens},
          {"length",
           {{"mean", file.mean_length},
            {"median", file.median_length},
            {"longest", file.longest},
            {"truncated", file.truncated}}},
          {"notes", file.notes}};
}

std::vector<std::string> notes_of(const GeneMapping& mapping, const QualityControl& quality) {
  std::vector<std::string> notes;
  if (quality.total.deviation == 0)
    notes.push_back("all cells have the same total count: none was dropped for it");
  if (std::count(mapping.mitochondrial.begin(), mapping.mitochondrial.end(), 1) == 0)
    notes.push_back("no mitochondrial gene is measured: no cell was dropped for its share");
  else if (quality.mitochondrial.deviation == 0)
    notes.push_back("all cells have the same mitochondrial share: none was dropped for it");
  if (!mapping.has_biotypes)
    notes.push_back("the vocabulary has no biotypes: every mapped gene counted as coding");
  return notes;
}

void describe_lengths(FileReport& report, const QualityControl& quality, std::int64_t max_length) {
  std::vector<std::int64_t> lengths;
  for (std::size_t cell = 0; cell < quality.verdicts.size(); ++cell) {
    if (quality.verdicts[cell] != Verdict::kKept) continue;
    const std::int64_t genes = quality.mapped_genes[cell];
    report.truncated += genes > max_length;
    lengths.push_back(std::min(genes, max_length));
    report.tokens += lengths.back();
  }
  if (lengths.empty()) return;
  std::sort(lengths.begin(), lengths.end());
  const std::size_t n = lengths.size();
  report.mean_length = static_cast<double>(report.tokens) / static_cast<double>(n);
  report.median_length = static_cast<double>(lengths[(n - 1) / 2] + lengths[n / 2]) / 2;
  report.longest = lengths.back();
}

}  // namespace

std::int64_t TokenizeReport::cells() const {
  std::int64_t sum = 0;
  for (const FileReport& file : files) sum += file.kept;
  return sum;
}

std::int64_t TokenizeReport::tokens() const {
  std::int64_t sum = 0;
  for (const FileReport& file : files) sum += file.tokens;
  return sum;
}

std::string TokenizeReport::json() const {
  Json result = {{"cells", cells()},
                 {"tokens", tokens()},
                 {"medians", medians},
                 {"genes_with_median", genes_with_median},
                 {"target_total", target_total},
                 {"obs", obs},
                 {"files", Json::array()}};
  for (const FileReport& file : files) result["files"].push_back(json_of(file));
  return result.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string TokenizeReport::table() const {
  std::size_t width = 4;
  for (const FileReport& file : files) width = std::max(width, file.file.size());
  std::string text = fmt::format(
      "{:<{}}  {:<10} {:<7} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>7} {:>7} {:>7} "
      "{:>9}\n",
      "file", width, "matrix", "species", "cells", "kept", "empty", "total", "mito", "few", "genes",
      "mapped", "lost %", "median", "longest", "truncated");
  for (const FileReport& file : files)
    text += fmt::format(
        "{:<{}}  {:<10} {:<7} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>7.2f} {:>7} {:>7} "
        "{:>9}\n",
        file.file, width, file.matrix, file.species, file.cells, file.kept, file.no_counts,
        file.total_outliers, file.mitochondrial_outliers, file.few_genes, file.genes, file.mapped,
        100 * file.counts_lost, file.median_length, file.longest, file.truncated);
  for (const FileReport& file : files)
    for (const std::string& note : file.notes) text += fmt::format("{}: {}\n", file.file, note);
  text += fmt::format("{} cells, {} tokens; medians: {} ({} genes){}\n", cells(), tokens(), medians,
                      genes_with_median,
                      target_total > 0 ? "; counts normalised by the cell's total" : "");
  return text;
}

FileReport describe(const CellSource& source, const GeneMapping& mapping,
                    const QualityControl& quality, std::int64_t max_length) {
  FileReport report;
  report.file = source.path().filename().string();
  report.matrix = source.matrix();
  report.species = name_of(mapping.species);
  report.species_source = mapping.species_source;
  report.cells = source.cells();
  report.kept = quality.count(Verdict::kKept);
  report.no_counts = quality.count(Verdict::kNoCounts);
  report.total_outliers = quality.count(Verdict::kTotal);
  report.mitochondrial_outliers = quality.count(Verdict::kMitochondrial);
  report.few_genes = quality.count(Verdict::kFewGenes);
  report.genes = mapping.genes();
  report.mapped = mapping.mapped;
  report.not_in_vocabulary = mapping.not_in_vocabulary;
  report.not_ensembl = mapping.not_ensembl;
  report.other_species = mapping.other_species;
  if (quality.counts > 0) report.counts_lost = 1 - quality.mapped_counts / quality.counts;
  report.notes = notes_of(mapping, quality);
  describe_lengths(report, quality, max_length);
  return report;
}

}  // namespace lodestone
