// From a run directory to a page: broken lines, resumed runs, results, embeddings.
#include "tools/report/run_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "data/h5ad_writer.h"
#include "engine/io/files.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"
#include "tools/report/result_tables.h"
#include "tools/report/run_metrics.h"

namespace lodestone::tools {
namespace {

namespace fs = std::filesystem;
using lodestone::testing::expect_error;
using lodestone::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;

std::string training_line(int step, const std::string& loss) {
  return fmt::format(
      R"({{"step": {}, "epoch": 0.5, "cells": {}, "tokens": {}, "loss": {}, "id_loss": 5.5, )"
      R"("value_loss": 1.5, "learning_rate": 0.001, "gradient_norm": 2.5, "tokens_per_s": 9000, )"
      R"("mfu": null, "data_wait_ms": 0.1}})"
      "\n",
      step, 32 * step, 3200 * step, loss);
}

fs::path make_run(const TemporaryFolder& folder, const std::string& metrics) {
  const fs::path run = folder / "run <1>";
  fs::create_directories(run);
  std::ofstream(run / "metrics.jsonl") << metrics;
  std::ofstream(run / "config.toml") << "note = \"<script>\"\n";
  return run;
}

std::string long_run() {
  std::string metrics;
  for (int step = 1; step <= 60; ++step) {
    metrics += training_line(step, fmt::format("{}", 8 / std::sqrt(step)));
    if (step % 20 == 0)
      metrics += fmt::format(R"({{"step": {}, "validation": {{"loss": {}, "id_loss": 4}}}})"
                             "\n",
                             step, 9 / std::sqrt(step));
  }
  return metrics;
}

void expect_well_formed(const std::string& document) {
  const char* given = std::getenv("LODESTONE_PYTHON");
  const std::string python = given && *given ? given : "/usr/bin/python3";
  if (std::system((python + " -c pass 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "no " << python;
  const TemporaryFolder folder;
  std::ofstream(folder / "page.xml") << document;
  EXPECT_EQ(
      std::system((python + " -c 'import sys, xml.etree.ElementTree as t; t.parse(sys.argv[1])' " +
                   (folder / "page.xml").string())
                      .c_str()),
      0);
}

std::vector<std::string> names_of(const RunReport& report) {
  std::vector<std::string> names;
  for (const NamedFigure& figure : report.figures) names.push_back(figure.name);
  return names;
}

TEST(RunMetrics, CountsBrokenLinesAndKeepsTheRest) {
  const TemporaryFolder folder;
  const fs::path run =
      make_run(folder, training_line(1, "3.0") + "{\"step\": 2, \"lo\n" + "7\n[]\n{\"loss\": 1}\n" +
                           training_line(3, "null") + training_line(4, "NaN") + "\n" +
                           training_line(5, "2.0") + "{\"step\": 6");
  const RunMetrics metrics = read_metrics(run / "metrics.jsonl");
  EXPECT_EQ(metrics.training.step, (std::vector<double>{1, 3, 5}));
  EXPECT_EQ(metrics.unreadable, 6);  // NaN is no JSON
  EXPECT_TRUE(std::isnan(metrics.training.column("loss")[1]));
  EXPECT_EQ(metrics.training.last("loss"), 2);
  EXPECT_TRUE(std::isnan(metrics.training.last("no_such_column")));
}

TEST(RunMetrics, AResumedRunReplacesWhatItDoesAgain) {
  const TemporaryFolder folder;
  const fs::path run = make_run(
      folder, training_line(1, "9") + training_line(2, "8") + training_line(3, "7") +
                  "{\"step\": 3, \"validation\": {\"loss\": 7.5}}\n" + training_line(2, "6") +
                  training_line(3, "5") + "{\"step\": 3, \"validation\": {\"loss\": 5.5}}\n");
  const RunMetrics metrics = read_metrics(run / "metrics.jsonl");
  EXPECT_EQ(metrics.training.column("loss"), (std::vector<double>{9, 6, 5}));
  EXPECT_EQ(metrics.validation.column("loss"), (std::vector<double>{5.5}));
  EXPECT_EQ(metrics.replaced, 3);
}

TEST(RunReport, DrawsWhatTheRunRecorded) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  const RunReport report = make_report(inputs);
  EXPECT_EQ(names_of(report),
            (std::vector<std::string>{"loss", "id-loss", "value-loss", "learning-rate",
                                      "gradient-norm", "tokens-per-s", "data-wait-ms"}));
  EXPECT_THAT(report.html, HasSubstr("held-out loss"));
  EXPECT_THAT(report.html, HasSubstr("Run run &lt;1&gt;"));
  EXPECT_THAT(report.html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(report.html, Not(HasSubstr("<script")));
  EXPECT_THAT(report.html, Not(HasSubstr("src=")));
  EXPECT_EQ(report.html, make_report(inputs).html);
  expect_well_formed(report.html.substr(report.html.find('\n')));
}

TEST(RunReport, WritesThePageAndEachFigure) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  const RunReport report = make_report(inputs);
  const fs::path page = folder / "out.html";
  write_report(report, page);
  write_report(report, page);  // again: replaced
  EXPECT_EQ(read_text(page), report.html);
  const std::string csv = read_text(folder / "out-figures" / "loss.csv");
  EXPECT_THAT(csv, HasSubstr("series,step,loss\ntraining,1,8\n"));
  EXPECT_THAT(csv, HasSubstr("held-out cells,20,"));
  EXPECT_THAT(read_text(folder / "out-figures" / "gradient-norm.svg"), HasSubstr("<svg"));
}

TEST(RunReport, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, "torn");
  const RunReport report = make_report(inputs);
  EXPECT_THAT(report.html, HasSubstr("1 line of metrics.jsonl could not be read"));
  EXPECT_THAT(report.html, HasSubstr("no training step yet"));
  EXPECT_THAT(report.html, HasSubstr("no data"));
  inputs.run = folder.path();
  expect_error(ErrorKind::kBadInput, "metrics.jsonl", [&] { make_report(inputs); });
}

TEST(RunReport, ShowsResultsAsTablesAndBars) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  const fs::path result = folder / "labels.json";
  std::ofstream(result) << R"([{"query": "a.h5ad", "cells": 12000, "methods":
    {"model": {"accuracy": 0.9, "macro_f1": 0.8}, "PCA": {"accuracy": 0.7, "macro_f1": null}}}])";
  inputs.results = {result};
  const RunReport report = make_report(inputs);
  EXPECT_EQ(report.figures.back().name, "result-8");
  EXPECT_THAT(report.figures.back().figure.csv, HasSubstr("name,accuracy\nmodel,0.9\nPCA,0.7\n"));
  EXPECT_THAT(report.html, HasSubstr("<td>12,000</td><td>PCA</td><td>0.7</td>"));
  expect_well_formed(report.html.substr(report.html.find('\n')));
  std::ofstream(result) << "{";
  expect_error(ErrorKind::kBadInput, "labels.json", [&] { make_report(inputs); });
}

TEST(ResultTables, FollowTheShapeOfTheResult) {
  const auto result = nlohmann::ordered_json::parse(R"({
    "task": "pretraining", "seeds": [1, 2],
    "methods": {"model": {"loss": 1}, "frequency": {"loss": 2, "error": 3}}})");
  const auto tables = result_tables("r", result);
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(cell_text(tables[0].rows[1][1]), "1, 2");
  EXPECT_EQ(tables[1].title, "r: methods");
  EXPECT_EQ(tables[1].header, (std::vector<std::string>{"", "loss", "error"}));
  EXPECT_TRUE(tables[1].rows[0][2].is_null());
}

// Eight cells of two types, far apart in the embedding.
fs::path make_embedding(const TemporaryFolder& folder, float last) {
  const fs::path plain = folder / "plain.h5ad", embedded = folder / "cells.h5ad";
  {
    H5adWriter writer(plain, {{"ENSG00000000001", "A", ""}, {"ENSG00000000002", "B", ""}}, {});
    CellBlock block;
    block.offsets = {0};
    std::vector<std::string> ids;
    ObsColumn type{"cell_type", {}, {"T & B", "other"}};
    for (int cell = 0; cell < 8; ++cell) {
      block.genes.push_back(cell % 2);
      block.counts.push_back(3);
      block.offsets.push_back(cell + 1);
      ids.push_back("cell" + std::to_string(cell));
      type.codes.push_back(cell % 2);
    }
    writer.append(block);
    writer.finish(ids, {type});
  }
  std::vector<float> rows;
  for (int cell = 0; cell < 8; ++cell)
    for (int column = 0; column < 3; ++column)
      rows.push_back(static_cast<float>((cell % 2) * 10 + ((cell + column) * 7) % 5));
  rows.back() = last;
  copy_h5ad_with_obsm(plain, embedded, "X_lodestone", rows, 3, "{}");
  return embedded;
}

TEST(RunReport, DrawsEmbeddingsByLabel) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  inputs.embeddings = {make_embedding(folder, 1)};
  const RunReport report = make_report(inputs);
  EXPECT_EQ(report.figures.back().name, "embedding-1");
  EXPECT_THAT(report.figures.back().figure.svg, HasSubstr("T &amp; B"));
  EXPECT_THAT(report.html, HasSubstr("No file has the obs column species"));
  expect_well_formed(report.html.substr(report.html.find('\n')));
}

TEST(RunReport, DrawsTheEmbeddingsOfSeveralFilesTogether) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  const fs::path file = make_embedding(folder, 1);
  inputs.embeddings = {file, file};
  const RunReport report = make_report(inputs);
  EXPECT_THAT(report.html, HasSubstr("16 cells with 3 numbers each"));
  EXPECT_THAT(report.figures.back().figure.svg, HasSubstr("T &amp; B"));
}

TEST(RunReport, RefusesEmbeddingsThatAreNone) {
  const TemporaryFolder folder;
  ReportInputs inputs;
  inputs.run = make_run(folder, long_run());
  inputs.embeddings = {make_embedding(folder, INFINITY)};
  expect_error(ErrorKind::kBadInput, "not finite in cell 7", [&] { make_report(inputs); });
  inputs.embeddings = {folder / "plain.h5ad"};
  expect_error(ErrorKind::kBadInput, "obsm/X_lodestone", [&] { make_report(inputs); });
}

}  // namespace
}  // namespace lodestone::tools
