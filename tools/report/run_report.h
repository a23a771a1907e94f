#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tools/report/svg.h"

namespace lodestone::tools {

struct ReportInputs {
  std::filesystem::path run;                      // a run directory with metrics.jsonl
  std::vector<std::filesystem::path> embeddings;  // h5ad files, drawn together
  std::string embedding_name = "X_lodestone";     // in its obsm
  std::vector<std::string> colour_by = {"cell_type", "species"};
  std::vector<std::filesystem::path> results;  // JSON files
};

struct NamedFigure {
  std::string name;  // a file name without extension
  Figure figure;
};

struct RunReport {
  std::string html;
  std::vector<NamedFigure> figures;
};

// Throws kBadInput for a run without metrics.jsonl and a result that is no JSON; lines of metrics
// that cannot be read are counted and said on the page.
RunReport make_report(const ReportInputs& inputs);

// The page at `page`, and each figure as .svg and .csv in the folder beside it that
// figures_folder() names; both replace what was there.
void write_report(const RunReport& report, const std::filesystem::path& page);
std::filesystem::path figures_folder(const std::filesystem::path& page);

}  // namespace lodestone::tools
