#include "tools/commands/commands.h"
#include "tools/report/run_report.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct ReportSettings {
  std::string run, embedding_name = "X_lodestone", out = "report.html";
  std::vector<std::string> embedding, colour_by = {"cell_type", "species"}, result;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("run", run, "directory of a run, with metrics.jsonl");
    visit("embedding", embedding,
          "cells with embeddings (.h5ad), drawn together along two components");
    visit("embedding_name", embedding_name, "the embedding's name in obsm");
    visit("colour_by", colour_by, "obs columns to colour cells by");
    visit("result", result, "results to show as tables (.json)");
    visit("out", out, "page to write (.html); figures go to a folder beside it");
  }
};

void report_run(const ReportSettings& settings, Run& run) {
  ReportInputs inputs{settings.run,
                      {settings.embedding.begin(), settings.embedding.end()},
                      settings.embedding_name,
                      settings.colour_by,
                      {settings.result.begin(), settings.result.end()}};
  const RunReport report = make_report(inputs);
  write_report(report, settings.out);
  const std::string folder = figures_folder(settings.out).string();
  run.result(
      ordered_json{{"out", settings.out}, {"figures", folder}, {"count", report.figures.size()}},
      fmt::format("{}: {} figures, also as .svg and .csv in {}\n", settings.out,
                  report.figures.size(), folder));
}

}  // namespace

void add_report(CommandLine& line) {
  line.add<ReportSettings>(
      {.name = "report",
       .summary = "Makes one self-contained page of a run: curves, embeddings, results",
       .description =
           "Draws losses, learning rate, gradient norm and speed of a run, cell embeddings by "
           "label, and tables of results.\n\n"
           "  lodestone report runs/a --embedding pbmc.embedded.h5ad --result result.json --out "
           "report.html",
       .positionals = {"run"},
       .required = {"run", "out"},
       .inputs = {"embedding", "result"},
       .outputs = {"out"}},
      report_run);
}

}  // namespace lodestone::tools
