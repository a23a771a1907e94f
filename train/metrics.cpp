#include "train/metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

// JSON has no NaN and no infinity.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json ratio(double numerator, double denominator) {
  return denominator > 0 ? number(numerator / denominator) : Json(nullptr);
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts KiB
}

// The lines of a metrics file up to `step`, before the first that is torn.
std::string lines_until(const fs::path& file, std::int64_t step) {
  const std::string text = read_text(file);
  std::string_view rest = text;
  std::string kept;
  std::int64_t last = 0, later = 0;
  for (std::size_t end; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
    const Json line = Json::parse(rest.substr(0, end), nullptr, false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) break;
    const std::int64_t of = line["step"].get<std::int64_t>();
    if (of > step)
      ++later;
    else
      kept.append(rest.substr(0, end + 1));
    last = std::max(last, std::min(of, step));
  }
  if (later > 0)
    log::info("{}: what it says of steps after {} is cut off, {} lines", file.string(), step,
              later);
  if (!rest.empty()) log::info("{}: its end was torn and is cut off", file.string());
  if (last < step)
    log::warning("{}: lines of the steps {} to {} are missing", file.string(), last + 1, step);
  return kept;
}

// Ready to be appended to.
const fs::path& cut_back(const fs::path& file, std::int64_t step) {
  write_text(file, step > 0 && fs::exists(file) ? lines_until(file, step) : "");
  return file;
}

// 1234567 -> "1.23 M".
std::string count_text(double value) {
  if (value >= 1e6) return fmt::format("{:.3g} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.3g} k", value / 1e3);
  return fmt::format("{:.3g}", value);
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& file, std::int64_t step, double peak_flops)
    : file_(cut_back(file, step)), peak_flops_(peak_flops) {}

void MetricsLog::write(const StepReport& report, const Progress& progress) {
  const double flops_per_s = report.model_flops / report.seconds;
  file_.append(
      Json{
          {"step", report.step},
          {"epoch", number(progress.epoch)},
          {"cells", progress.cells},
          {"tokens", progress.tokens},
          {"loss", number(report.loss)},
          {"id_loss", number(report.id_loss)},
          {"value_loss", number(report.value_loss)},
          {"learning_rate", number(report.learning_rate)},
          {"gradient_norm", number(report.gradient_norm)},
          {"tokens_per_s", ratio(static_cast<double>(report.batch_tokens), report.seconds)},
          {"cells_per_s", ratio(static_cast<double>(report.batch_cells), report.seconds)},
          {"tflops", number(flops_per_s / 1e12)},
          {"mfu", ratio(flops_per_s, peak_flops_)},
          {"data_wait_ms", number(report.wait_seconds * 1e3)},
          {"comm_ms", nullptr},  // one process: nothing to communicate
          {"memory_bytes", peak_resident_bytes()},
      }
          .dump() +
      "\n");
}

void MetricsLog::write(const ValidationReport& report, const Progress& progress,
                       std::int64_t step) {
  file_.append(Json{
                   {"step", step},
                   {"epoch", number(progress.epoch)},
                   {"validation",
                    {{"loss", number(report.loss)},
                     {"id_loss", number(report.id_loss)},
                     {"value_loss", number(report.value_loss)},
                     {"cells", report.cells},
                     {"chosen", report.chosen}}},
               }
                   .dump() +
               "\n");
}

void ConsoleReport::add(const StepReport& report) {
  newest_ = report;
  cells_ += static_cast<double>(report.batch_cells);
  tokens_ += static_cast<double>(report.batch_tokens);
  flops_ += report.model_flops;
  seconds_ += report.seconds;
  wait_seconds_ += report.wait_seconds;
}

std::string ConsoleReport::line(const Progress& progress) {
  const double seconds = std::max(seconds_, 1e-9);
  const std::string mfu =
      peak_flops_ > 0 ? fmt::format(" · MFU {:.0f} %", 100 * flops_ / seconds / peak_flops_) : "";
  std::string text = fmt::format(
      "step {}/{} ({:.0f} %) · loss {:.4f} (id {:.4f}, value {:.4f}) · norm {:.3g} · rate {:.2e} · "
      "{} tokens/s · {} cells/s{} · data wait {:.1f} % · {} left",
      newest_.step, progress.total_steps,
      100.0 * static_cast<double>(newest_.step) / static_cast<double>(progress.total_steps),
      newest_.loss, newest_.id_loss, newest_.value_loss, newest_.gradient_norm,
      newest_.learning_rate, count_text(tokens_ / seconds), count_text(cells_ / seconds), mfu,
      100 * wait_seconds_ / seconds, duration_text(progress.seconds_left));
  *this = ConsoleReport(peak_flops_);
  return text;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02d} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {:02d} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {:02d} h", s / 86400, s % 86400 / 3600);
}

}  // namespace lodestone
