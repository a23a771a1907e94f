#pragma once
#include <string>
#include <vector>

#include "tools/report/html.h"
#include "tools/report/run_metrics.h"
#include "tools/report/svg.h"

namespace lodestone::tools {

struct RunCurve {
  std::string name;  // "loss", "learning-rate", ...
  LineChart chart;
  std::string caption;
};

// Losses (training smoothed over its raw values, held-out cells), learning rate, gradient norm and
// throughput by step; only what the run recorded. Without any record, an empty loss chart.
std::vector<RunCurve> run_curves(const RunMetrics& metrics);

// Where the run stands: steps, cells, tokens, losses, speed.
std::vector<HtmlPage::KeyFigure> key_figures(const RunMetrics& metrics);

}  // namespace lodestone::tools
