#include "tools/report/run_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/progress.h"
#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr std::size_t kSmoothedFrom = 40;  // steps; fewer are shown as they are
constexpr std::size_t kWindowShare = 40;   // a mean covers 1/40 of the records, at most
constexpr std::size_t kWidestWindow = 500;

bool has_finite(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(),
                     [](double value) { return std::isfinite(value); });
}

// At each entry the mean of the finite ones among the last `window`; NaN where there is none.
std::vector<double> trailing_mean(const std::vector<double>& values, std::size_t window) {
  std::vector<double> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0, count = 0;
    for (std::size_t j = i + 1 - std::min(window, i + 1); j <= i; ++j)
      if (std::isfinite(values[j])) sum += values[j], ++count;
    result.push_back(count > 0 ? sum / count : NAN);
  }
  return result;
}

// The recorded values, faint, under their trailing mean; plain when there are few.
std::string add_smoothed(LineChart& chart, const MetricTable& table, const std::string& column,
                         const std::string& name) {
  const std::vector<double>& values = table.column(column);
  if (values.size() < kSmoothedFrom) {
    chart.lines.push_back({name, table.step, values, Stroke::kPlain, 0});
    return "Each step.";
  }
  const std::size_t window = std::min(values.size() / kWindowShare + 1, kWidestWindow);
  chart.lines.push_back({name, table.step, values, Stroke::kFaint, 0});
  chart.lines.push_back({fmt::format("{} (mean of {} records)", name, window), table.step,
                         trailing_mean(values, window), Stroke::kPlain, 0});
  return fmt::format("Faint: each record. Line: mean of the last {}.", window);
}

RunCurve loss_curve(const RunMetrics& metrics, const std::string& column, const std::string& title,
                    const std::string& unit) {
  RunCurve curve{column == "loss" ? "loss" : column, {title, {"step"}, {unit}, {}}, ""};
  curve.caption = add_smoothed(curve.chart, metrics.training, column, "training");
  if (has_finite(metrics.validation.column(column)))
    curve.chart.lines.push_back({"held-out cells", metrics.validation.step,
                                 metrics.validation.column(column), Stroke::kMarked, 1});
  std::replace(curve.name.begin(), curve.name.end(), '_', '-');
  return curve;
}

RunCurve plain_curve(const RunMetrics& metrics, const std::string& column, const std::string& title,
                     const std::string& unit, Scale scale) {
  RunCurve curve{column, {title, {"step"}, {unit, scale}, {}}, ""};
  curve.caption = add_smoothed(curve.chart, metrics.training, column, unit);
  std::replace(curve.name.begin(), curve.name.end(), '_', '-');
  return curve;
}

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return NAN;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<RunCurve> run_curves(const RunMetrics& metrics) {
  std::vector<RunCurve> curves;
  curves.push_back(loss_curve(metrics, "loss", "Loss", "loss"));
  const auto recorded = [&](const char* column) {
    return has_finite(metrics.training.column(column)) ||
           has_finite(metrics.validation.column(column));
  };
  if (recorded("id_loss"))
    curves.push_back(
        loss_curve(metrics, "id_loss", "Which gene was masked", "cross entropy (nats)"));
  if (recorded("value_loss"))
    curves.push_back(loss_curve(metrics, "value_loss", "What its value was", "mean squared error"));
  const auto add = [&](const char* column, const char* title, const char* unit, Scale scale) {
    if (has_finite(metrics.training.column(column)))
      curves.push_back(plain_curve(metrics, column, title, unit, scale));
  };
  if (has_finite(metrics.training.column("learning_rate"))) {
    RunCurve curve{
        "learning-rate", {"Learning rate", {"step"}, {"learning rate"}, {}}, "Each step."};
    curve.chart.lines.push_back(
        {"", metrics.training.step, metrics.training.column("learning_rate"), Stroke::kPlain, 0});
    curves.push_back(std::move(curve));
  }
  add("gradient_norm", "Gradient norm before clipping", "norm", Scale::kLog);
  add("tokens_per_s", "Throughput", "tokens per second", Scale::kLinear);
  add("data_wait_ms", "Waiting for data", "milliseconds a step", Scale::kLinear);
  return curves;
}

std::vector<HtmlPage::KeyFigure> key_figures(const RunMetrics& metrics) {
  const MetricTable& training = metrics.training;
  if (training.step.empty()) return {};
  const auto count = [](double value) {
    return std::isfinite(value) ? number_text(std::round(value)) : std::string("n/a");
  };
  std::vector<HtmlPage::KeyFigure> figures = {
      {"steps", count(training.step.back()),
       std::isfinite(training.last("epoch"))
           ? fmt::format("{} passes over the cells", number_text(training.last("epoch")))
           : ""},
      {"cells seen", count(training.last("cells")), ""},
      {"tokens seen", count(training.last("tokens")), ""},
      {"training loss", number_text(training.last("loss")), "at the last record"}};
  const double held_out = metrics.validation.last("loss");
  if (std::isfinite(held_out)) {
    const std::vector<double>& losses = metrics.validation.column("loss");
    double best = held_out;
    for (double loss : losses)
      if (std::isfinite(loss)) best = std::min(best, loss);
    figures.push_back(
        {"held-out loss", number_text(held_out), fmt::format("lowest {}", number_text(best))});
  }
  figures.push_back({"tokens per second", count(median(training.column("tokens_per_s"))),
                     "median over the records"});
  if (const double share = median(training.column("mfu")); std::isfinite(share))
    figures.push_back({"of peak speed", fmt::format("{:.1f} %", 100 * share), "median MFU"});
  return figures;
}

}  // namespace lodestone::tools
