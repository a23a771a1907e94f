#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lodestone::tools {

// Numbers by step; a column has one entry per step, NaN where a line did not have it.
struct MetricTable {
  std::vector<double> step;  // ascending
  std::map<std::string, std::vector<double>> columns;
  bool has(const std::string& name) const { return columns.contains(name); }
  const std::vector<double>& column(const std::string& name) const;  // NaN throughout when absent
  // The last finite entry; NaN when there is none.
  double last(const std::string& name) const;
  std::vector<double> none;  // [steps] of NaN
};

// metrics.jsonl (design: one object per step or report; held-out numbers under "validation").
struct RunMetrics {
  MetricTable training, validation;
  std::int64_t unreadable = 0;  // lines that are no JSON object with a step: torn by a crash, say
  std::int64_t replaced = 0;    // lines whose step a resumed run did again; the later ones count
};

// Throws kBadInput when there is no such file. Lines that cannot are counted, never an error.
RunMetrics read_metrics(const std::filesystem::path& path);

}  // namespace lodestone::tools
