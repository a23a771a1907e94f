// What this machine does with the model's work, held against what it could do.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <ctime>
#include <thread>

#include "bench/compare.h"
#include "bench/peaks.h"
#include "bench/suite.h"
#include "engine/core/check.h"
#include "engine/core/cuda_device.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"
#include "tools/build_info.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"
#include "tools/machine.h"
#include "tools/table.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct BenchSettings {
  std::string filter = ".";
  std::string shape = "base";
  std::string dtype = "both";
  int repetitions = 5;
  double seconds = 0.05;
  std::string data, model, out;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("filter", filter, "rows to measure: a regular expression found in their names");
    visit("shape", shape, "base (the published model) or small (for a few seconds)");
    visit("dtype", dtype, "f32, bf16 or both");
    visit("repetitions", repetitions, "of a row; its time is their median");
    visit("seconds", seconds, "a repetition runs at least this long; on CUDA: once");
    visit("data", data, "token directory whose cells make the batch of steps and embeddings");
    visit("model", model, "model directory for steps and embeddings; default: random weights");
    visit("out", out, "result to write (.json)");
  }
  void validate() const {
    check(dtype == "f32" || dtype == "bf16" || dtype == "both",
          "dtype: expected f32, bf16 or both, got {}", dtype);
    check(repetitions >= 1 && repetitions <= 1000, "repetitions: expected 1 to 1000, got {}",
          repetitions);
    check(seconds > 0 && seconds <= 60, "seconds: expected more than 0, to 60, got {}", seconds);
    bench::shape_named(shape, Device::cpu());
  }
};

std::regex expression(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error& error) {
    fail(ErrorKind::kInvalidArgument, "filter: '{}' is not a regular expression ({})", text,
         error.what());
  }
}

std::vector<DType> dtypes_of(const std::string& dtype) {
  if (dtype == "f32") return {DType::kF32};
  if (dtype == "bf16") return {DType::kBf16};
  return {DType::kF32, DType::kBf16};
}

std::uint64_t peak_memory_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.2f} s", seconds);
}

// A share in percent; empty for a row that has none.
std::string share_text(const ordered_json& row, const char* key) {
  return row.contains(key) ? fmt::format("{:.1f} %", 100 * row[key].get<double>()) : "";
}

std::string rate_text(const ordered_json& row) {
  std::string text;
  const auto add = [&](const char* key, const char* unit) {
    if (row.contains(key))
      text += fmt::format("{}{:.4g} {}", text.empty() ? "" : ", ", row[key].get<double>(), unit);
  };
  if (row.contains("gflops"))
    add("gflops", "GFLOP/s");
  else
    add("gb_per_s", "GB/s");
  add("tokens_per_s", "tokens/s");
  add("cells_per_s", "cells/s");
  if (row.contains("mfu")) text += fmt::format(", MFU {:.1f} %", 100 * row["mfu"].get<double>());
  if (row.contains("device_bytes"))
    text += fmt::format(", {:.1f} GB", 1e-9 * row["device_bytes"].get<double>());
  return text;
}

std::string result_text(const ordered_json& result) {
  Table table({"", "median", "fastest", "slowest", "rate", "of peak", "of library", "of step"});
  for (const ordered_json& row : result["rows"])
    table.add({row["name"], time_text(row["seconds"]), time_text(row["fastest"]),
               time_text(row["slowest"]), rate_text(row), share_text(row, "share_of_peak"),
               share_text(row, "share_of_library"), share_text(row, "share_of_step")});
  const std::string device =
      result.contains("device")
          ? result["device"].get<std::string>()
          : fmt::format("{}, {} threads", result["processor"].get<std::string>(),
                        result["threads"].get<int>());
  std::string peaks;
  for (const auto& [name, rate] : result["peaks"].items())
    peaks += fmt::format("{}{} {:.1f}", peaks.empty() ? "" : ", ", name, rate.get<double>());
  return fmt::format("{}\n{}: {}\n", table.text(), device, peaks);
}

// What the rows depend on besides the code.
ordered_json conditions(const BenchSettings& settings, Device device, const bench::Peaks& peaks) {
  ordered_json json = {{"date", fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr)))},
                       {"processor", processor_name()},
                       {"cores", std::thread::hardware_concurrency()},
                       {"threads", thread_count()},
                       {"build", version_text()},
                       {"shape", settings.shape}};
  if (!device.is_cpu()) json["device"] = cuda_device_name(device);
  json["peaks"] = to_json(peaks);
  return json;
}

void run_bench(const BenchSettings& settings, Run& run) {
  const Device device = run.device();
  bench::Suite suite{.shape = bench::shape_named(settings.shape, device),
                     .device = device,
                     .dtypes = dtypes_of(settings.dtype),
                     .effort = {settings.repetitions, device.is_cpu() ? settings.seconds : 0},
                     .seed = run.seed(),
                     .data = settings.data,
                     .model = settings.model,
                     .filter = expression(settings.filter)};
  const bench::Peaks peaks = bench::measure_peaks(device);
  ordered_json result = conditions(settings, device, peaks);
  ordered_json& rows = result["rows"] = ordered_json::array();
  Progress progress = run.progress("bench", "rows");
  suite.report = [&](const bench::Row& row) {
    rows.push_back(to_json(row, peaks));
    progress.update(std::ssize(rows), 0);
  };
  bench::measure_ops(suite);
  bench::measure_data(suite);
  bench::measure_training(suite);
  check(!rows.empty(), "filter: no row's name has '{}'; without a filter all are listed",
        settings.filter);
  result["peak_memory_bytes"] = peak_memory_bytes();
  if (!settings.out.empty()) write_text(settings.out, result.dump(2) + "\n");
  run.result(result, result_text(result));
}

struct CompareSettings {
  std::string before, after;
  double tolerance = 0.1;
  bool fail = false;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("before", before, "result of lodestone bench --out");
    visit("after", after, "another one");
    visit("tolerance", tolerance, "a row is slower or faster when it differs by more than this");
    visit("fail", fail, "exit with 1 when a row is slower");
  }
  void validate() const {
    check(tolerance >= 0 && tolerance < 100, "tolerance: expected a share from 0, got {}",
          tolerance);
  }
};

std::string verdict(double ratio, double tolerance) {
  if (ratio > 1 + tolerance) return "slower";
  return ratio < 1 / (1 + tolerance) ? "faster" : "";
}

int compare_results(const CompareSettings& settings, Run& run) {
  const bench::Comparison comparison = bench::compare(settings.before, settings.after);
  Table table({"", "before", "after", "after / before", ""});
  ordered_json json = {{"rows", ordered_json::array()},
                       {"removed", comparison.removed},
                       {"added", comparison.added},
                       {"other_conditions", comparison.other_conditions}};
  int slower = 0;
  for (const bench::Comparison::Line& line : comparison.lines) {
    const std::string found = verdict(line.ratio(), settings.tolerance);
    slower += found == "slower" ? 1 : 0;
    table.add({line.name, time_text(line.before), time_text(line.after),
               fmt::format("{:.3f}", line.ratio()), found});
    json["rows"].push_back({{"name", line.name},
                            {"before", line.before},
                            {"after", line.after},
                            {"ratio", line.ratio()},
                            {"verdict", found}});
  }
  json["slower"] = slower;
  std::string text = table.text();
  for (const std::string& name : comparison.removed) text += "only before: " + name + "\n";
  for (const std::string& name : comparison.added) text += "only after: " + name + "\n";
  for (const std::string& condition : comparison.other_conditions)
    text += "not the same conditions: " + condition + "\n";
  text += fmt::format("{} of {} rows slower by more than {:.3g} %\n", slower,
                      comparison.lines.size(), 100 * settings.tolerance);
  run.result(json, text);
  return settings.fail && slower > 0 ? kExitRuntime : kExitOk;
}

}  // namespace

void add_bench(CommandLine& line) {
  line.add<BenchSettings>(
      {.name = "bench",
       .summary = "Measures ops, data path, training step and embeddings against their roofs",
       .description =
           "Every op forward and backward at the shapes of the model, the tokeniser and the "
           "loader, the\noptimizer, embeddings, and training steps by phase. Shares of peak are of "
           "what this run measured\nfirst: multiply-adds and dot products on registers, copies far "
           "beyond the caches. \"Of library\" is\noneDNN's own time for the same products, run in "
           "turn with ours.\n\n"
           "On CUDA, rows are the device's time between events, ops with cold caches; peaks are "
           "large products and\ncopies, MFU is of the card's published bf16 peak, and "
           "launched_ahead is the step without waiting for the host.\n\n"
           "  lodestone bench --filter 'attention|step' --dtype bf16 --out after.json\n"
           "  lodestone bench compare before.json after.json",
       .inputs = {"data", "model"},
       .outputs = {"out"}},
      run_bench);
  line.add<CompareSettings>(
      {.name = "bench compare",
       .summary = "Compares two results row by row",
       .description = "Ratios of medians; rows that one file alone has are named.\n\n"
                      "  lodestone bench compare before.json after.json --tolerance 0.05 --fail",
       .positionals = {"before", "after"},
       .required = {"before", "after"},
       .inputs = {"before", "after"}},
      compare_results);
}

}  // namespace lodestone::tools
