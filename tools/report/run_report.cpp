#include "tools/report/run_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/core/check.h"
#include "engine/io/files.h"
#include "tools/progress.h"
#include "tools/report/embedding_figures.h"
#include "tools/report/html.h"
#include "tools/report/result_tables.h"
#include "tools/report/run_curves.h"
#include "tools/report/run_metrics.h"
#include "tools/report/text.h"

namespace lodestone::tools {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostBars = 24;

// Adds a figure to the report's files and to the row of pictures on the page.
void keep(RunReport& report, std::vector<HtmlPage::Picture>& row, const std::string& name,
          Figure figure, const std::string& caption) {
  row.push_back({figure.svg, caption});
  report.figures.push_back({name, std::move(figure)});
}

void add_training(HtmlPage& page, RunReport& report, const RunMetrics& metrics) {
  page.section("Training");
  if (metrics.unreadable > 0)
    page.remark(fmt::format("{} line{} of metrics.jsonl could not be read and {} left out.",
                            metrics.unreadable, metrics.unreadable == 1 ? "" : "s",
                            metrics.unreadable == 1 ? "is" : "are"));
  if (metrics.training.step.empty()) page.remark("metrics.jsonl holds no training step yet.");
  std::vector<HtmlPage::Picture> row;
  for (RunCurve& curve : run_curves(metrics))
    keep(report, row, curve.name, draw(curve.chart), curve.caption);
  page.pictures(row);
}

void add_embedding(HtmlPage& page, RunReport& report, const ReportInputs& inputs) {
  EmbeddingFigures embedding =
      embedding_figures(inputs.embeddings, inputs.embedding_name, inputs.colour_by);
  std::vector<std::string> files;
  files.reserve(inputs.embeddings.size());
  for (const fs::path& file : inputs.embeddings) files.push_back(file.filename().string());
  page.section("Cell embeddings");
  page.paragraph(
      fmt::format("{} cells with {} numbers each, from {}, along their first two principal "
                  "components{}.",
                  grouped(embedding.cells), grouped(embedding.columns), fmt::join(files, " and "),
                  embedding.shown < embedding.cells
                      ? fmt::format("; {} of them, evenly spaced", grouped(embedding.shown))
                      : ""));
  if (!embedding.absent.empty())
    page.remark(fmt::format("No file has the obs column {}.", fmt::join(embedding.absent, ", ")));
  std::vector<HtmlPage::Picture> row;
  for (auto& [column, figure] : embedding.figures)
    keep(report, row, fmt::format("embedding-{}", row.size() + 1), std::move(figure),
         "Each dot is a cell; the legend counts the cells.");
  page.pictures(row);
}

// The column worth a bar chart: an accuracy when there is one, else the first of numbers.
std::optional<std::size_t> charted_column(const ResultTable& table) {
  if (table.rows.size() < 2 || table.rows.size() > kMostBars) return std::nullopt;
  std::optional<std::size_t> first;
  for (std::size_t column = 1; column < table.header.size(); ++column) {
    const bool numbers = std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
      return row[column].is_number() || row[column].is_null();
    });
    if (!numbers) continue;
    if (table.header[column] == "accuracy") return column;
    if (!first && table.header[column] != "value") first = column;
  }
  return first;
}

// A row's texts, without what all rows have in common.
std::string bar_name(const ResultTable& table, const std::vector<nlohmann::ordered_json>& row) {
  std::string name;
  for (std::size_t column = 0; column < row.size(); ++column) {
    const bool differs = std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& other) {
      return other[column] != row[column];
    });
    if (!row[column].is_string() || !differs) continue;
    name += (name.empty() ? "" : " · ") + row[column].get<std::string>();
  }
  return name;
}

Figure bars_of(const ResultTable& table, std::size_t column) {
  BarChart chart{table.title, table.header[column], {}};
  for (const auto& row : table.rows) {
    const std::string name = bar_name(table, row);
    const bool ours = name.find("model") != std::string::npos;
    chart.bars.push_back({name, row[column].is_number() ? row[column].get<double>() : NAN, ours});
  }
  return draw(chart);
}

void add_result(HtmlPage& page, RunReport& report, const fs::path& file) {
  const auto result = nlohmann::ordered_json::parse(read_text(file), nullptr, false);
  check_input(!result.is_discarded(), "{}: is no JSON; give a result.json of `lodestone evaluate`",
              file.string());
  const std::string name = file.stem() == "result" && file.has_parent_path()
                               ? file.parent_path().filename().string()
                               : file.stem().string();
  for (const ResultTable& table : result_tables(name, result)) {
    page.subsection(table.title);
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : table.rows) {
      auto& cells = rows.emplace_back();
      for (const auto& cell : row) cells.push_back(cell_text(cell));
    }
    page.table(table.header, rows);
    if (const auto column = charted_column(table)) {
      std::vector<HtmlPage::Picture> row;
      keep(report, row, fmt::format("result-{}", report.figures.size() + 1),
           bars_of(table, *column), table.header[*column]);
      page.pictures(row);
    }
  }
}

void add_settings(HtmlPage& page, const fs::path& run) {
  page.section("Settings");
  for (const char* name : {"config.toml", "manifest.json"})
    if (fs::exists(run / name)) page.listing(name, read_text(run / name));
}

}  // namespace

RunReport make_report(const ReportInputs& inputs) {
  const fs::path metrics_file = inputs.run / "metrics.jsonl";
  check_input(fs::is_regular_file(metrics_file),
              "{}: has no metrics.jsonl; give the directory of a run (lodestone pretrain --out)",
              inputs.run.string());
  const RunMetrics metrics = read_metrics(metrics_file);
  const fs::path folder = fs::weakly_canonical(inputs.run);
  HtmlPage page("Run " + folder.filename().string(), "Pretraining report of lodestone");
  page.key_figures(key_figures(metrics));
  RunReport report;
  add_training(page, report, metrics);
  if (!inputs.embeddings.empty()) add_embedding(page, report, inputs);
  if (!inputs.results.empty()) page.section("Evaluation");
  for (const fs::path& file : inputs.results) add_result(page, report, file);
  add_settings(page, inputs.run);
  report.html = page.finish();
  return report;
}

fs::path figures_folder(const fs::path& page) {
  return page.parent_path() / (page.stem().string() + "-figures");
}

void write_report(const RunReport& report, const fs::path& page) {
  publish_directory(figures_folder(page), true, [&](const fs::path& staged) {
    for (const NamedFigure& named : report.figures) {
      write_text(staged / (named.name + ".svg"), named.figure.svg);
      write_text(staged / (named.name + ".csv"), named.figure.csv);
    }
  });
  write_text(page, report.html);
}

}  // namespace lodestone::tools
