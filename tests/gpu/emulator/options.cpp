#include "tests/gpu/emulator/options.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

std::optional<std::string_view> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
}

template <class Number>
Number number(const char* name, std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  check(error == std::errc() && end == text.end(), "{}: expected a whole number, found '{}'", name,
        text);
  return value;
}

void read_checks(std::string_view text, Options& options) {
  options.check_races = false;
  options.check_initialised = false;
  if (text == "none") return;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    check(word == "all" || word == "races" || word == "initialised",
          "LODESTONE_EMU_CHECKS: expected none, all, races or initialised, found '{}'", word);
    options.check_races = options.check_races || word != "initialised";
    options.check_initialised = options.check_initialised || word != "races";
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
}

TraceTarget trace_target(std::string_view text) {
  const char* name = "LODESTONE_EMU_TRACE";
  const std::size_t colon = text.find(':');
  check(colon != std::string_view::npos, "{}: expected BLOCK:THREAD, found '{}'", name, text);
  return {number<std::uint64_t>(name, text.substr(0, colon)),
          number<std::uint32_t>(name, text.substr(colon + 1))};
}

}  // namespace

Options options_from_environment() {
  Options options;
  if (const auto text = variable("LODESTONE_EMU_CHECKS")) read_checks(*text, options);
  if (const auto text = variable("LODESTONE_EMU_SEED")) {
    options.seed = number<std::uint64_t>("LODESTONE_EMU_SEED", *text);
  }
  if (const auto text = variable("LODESTONE_EMU_QUANTUM")) {
    options.quantum = number<std::uint32_t>("LODESTONE_EMU_QUANTUM", *text);
    check(options.quantum > 0, "LODESTONE_EMU_QUANTUM: expected at least 1, found 0");
  }
  if (const auto text = variable("LODESTONE_EMU_LIMIT")) {
    options.most_instructions = number<std::uint64_t>("LODESTONE_EMU_LIMIT", *text);
  }
  if (const auto text = variable("LODESTONE_EMU_TRACE")) options.trace = trace_target(*text);
  if (const auto text = variable("LODESTONE_EMU_METRICS")) {
    check(*text == "0" || *text == "1", "LODESTONE_EMU_METRICS: expected 0 or 1, found '{}'",
          *text);
    options.print_metrics = *text == "1";
  }
  return options;
}

Options& options() {
  static Options current = options_from_environment();
  return current;
}

}  // namespace lodestone::ptx
