#include "tools/facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "tools/progress.h"
#include "tools/table.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

bool is_table(const ordered_json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

std::string value_text(const ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return grouped(value.get<std::int64_t>());
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (!value.is_array()) return value.dump();
  if (!value.empty() && value.front().is_number_integer())  // a shape
    return fmt::format("[{}]", fmt::join(value.get<std::vector<std::int64_t>>(), ", "));
  std::vector<std::string> parts;
  for (const ordered_json& part : value) parts.push_back(value_text(part));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string table_text(const ordered_json& rows) {
  std::vector<std::string> columns;
  for (const auto& [column, value] : rows.front().items()) columns.push_back(column);
  Table table(columns);
  for (const ordered_json& row : rows) {
    std::vector<std::string> cells;
    cells.reserve(columns.size());
    for (const std::string& column : columns)
      cells.push_back(row.contains(column) ? value_text(row[column]) : "");
    table.add(std::move(cells));
  }
  return table.text();
}

void add_lines(const ordered_json& facts, const std::string& prefix, Table& lines,
               std::string& tables) {
  for (const auto& [key, value] : facts.items()) {
    if (value.is_object())
      add_lines(value, prefix + key + ".", lines, tables);
    else if (is_table(value))
      tables += fmt::format("\n{}{}\n{}", prefix, key, table_text(value));
    else
      lines.add({prefix + key, value_text(value)});
  }
}

}  // namespace

std::string facts_text(const ordered_json& facts) {
  Table lines({});
  std::string tables;
  add_lines(facts, "", lines, tables);
  return lines.text() + tables;
}

}  // namespace lodestone::tools
