#include "tools/report/run_metrics.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "engine/io/files.h"

namespace lodestone::tools {
namespace {

using nlohmann::json;

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

void append(MetricTable& table, double step, const json& values) {
  const std::size_t row = table.step.size();
  table.step.push_back(step);
  table.none.push_back(kAbsent);
  for (const auto& [name, value] : values.items()) {
    if (!value.is_number() || name == "step") continue;
    auto& column = table.columns[name];
    column.resize(row, kAbsent);
    column.push_back(value.get<double>());
  }
  for (auto& [name, column] : table.columns) column.resize(row + 1, kAbsent);
}

// Takes back everything from `step` on; returns how many rows that were.
std::int64_t rewind(MetricTable& table, double step) {
  std::int64_t dropped = 0;
  for (; !table.step.empty() && table.step.back() >= step; ++dropped) {
    table.step.pop_back();
    table.none.pop_back();
    for (auto& [name, column] : table.columns) column.pop_back();
  }
  return dropped;
}

std::optional<double> step_of(const json& record) {
  if (!record.is_object() || !record.contains("step") || !record["step"].is_number())
    return std::nullopt;
  const double step = record["step"].get<double>();
  return std::isfinite(step) ? std::optional(step) : std::nullopt;
}

void add(RunMetrics& metrics, const json& record, double step) {
  const auto validation = record.find("validation");
  const bool held_out = validation != record.end() && validation->is_object();
  if (held_out) {
    metrics.replaced += rewind(metrics.validation, step);
    append(metrics.validation, step, *validation);
  }
  if (held_out && !record.contains("loss")) return;
  metrics.replaced += rewind(metrics.training, step);
  // A run that was resumed before its last validation does that one again.
  if (!metrics.validation.step.empty() && metrics.validation.step.back() > step)
    metrics.replaced += rewind(metrics.validation, step + 1);
  append(metrics.training, step, record);
}

}  // namespace

const std::vector<double>& MetricTable::column(const std::string& name) const {
  const auto found = columns.find(name);
  return found == columns.end() ? none : found->second;
}

double MetricTable::last(const std::string& name) const {
  const std::vector<double>& values = column(name);
  for (auto value = values.rbegin(); value != values.rend(); ++value)
    if (std::isfinite(*value)) return *value;
  return kAbsent;
}

RunMetrics read_metrics(const std::filesystem::path& path) {
  std::istringstream lines(read_text(path));
  RunMetrics metrics;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const json record = json::parse(line, nullptr, false);
    if (const auto step = record.is_discarded() ? std::nullopt : step_of(record))
      add(metrics, record, *step);
    else
      ++metrics.unreadable;
  }
  return metrics;
}

}  // namespace lodestone::tools
