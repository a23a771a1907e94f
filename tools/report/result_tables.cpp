#include "tools/report/result_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

using nlohmann::ordered_json;
using Row = ordered_json;  // a flat object: column -> scalar

constexpr std::size_t kLongestList = 12;
constexpr int kDeepest = 16;

bool is_scalar(const ordered_json& value) {
  return value.is_primitive();
}

bool all_scalars(const ordered_json& value) {
  return value.is_structured() && std::all_of(value.begin(), value.end(), is_scalar);
}

// {"model": {"accuracy": 0.9}, "PCA": {"accuracy": 0.8}}
bool is_named_rows(const ordered_json& value) {
  return value.is_object() && !value.empty() &&
         std::all_of(value.begin(), value.end(),
                     [](const ordered_json& row) { return row.is_object() && all_scalars(row); });
}

bool is_list_of_objects(const ordered_json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(),
                     [](const ordered_json& entry) { return entry.is_object(); });
}

bool is_short_list(const ordered_json& value) {
  return value.is_array() && all_scalars(value) && value.size() <= kLongestList;
}

std::string joined(const ordered_json& list) {
  std::string text;
  for (const ordered_json& entry : list) text += (text.empty() ? "" : ", ") + cell_text(entry);
  return text;
}

std::vector<Row> flattened(const ordered_json& object, int depth);

std::vector<Row> named_rows(const std::string& column, const ordered_json& rows) {
  std::vector<Row> result;
  for (const auto& [name, values] : rows.items()) {
    Row row = {{column, name}};
    row.update(values);
    result.push_back(std::move(row));
  }
  return result;
}

// An object as rows: its scalars in each, one row for each of the rows inside it.
std::vector<Row> flattened(const ordered_json& object, int depth) {
  Row base = Row::object();
  std::vector<Row> inner;
  for (const auto& [key, value] : object.items()) {
    if (is_scalar(value))
      base[key] = value;
    else if (is_short_list(value))
      base[key] = joined(value);
    else if (is_named_rows(value))
      inner = named_rows(key, value);
    else if (value.is_object() && all_scalars(value))
      for (const auto& [name, scalar] : value.items())
        base[fmt::format("{} {}", key, name)] = scalar;
    else if (is_list_of_objects(value) && depth < kDeepest)
      for (const ordered_json& entry : value)
        for (Row& row : flattened(entry, depth + 1)) inner.push_back(std::move(row));
  }
  if (inner.empty()) return {base};
  for (Row& row : inner) {
    Row whole = base;
    whole.update(row);
    row = std::move(whole);
  }
  return inner;
}

ResultTable table_of(const std::string& title, const std::vector<Row>& rows) {
  ResultTable table{title, {}, {}};
  for (const Row& row : rows)
    for (const auto& [column, value] : row.items())
      if (std::find(table.header.begin(), table.header.end(), column) == table.header.end())
        table.header.push_back(column);
  for (const Row& row : rows) {
    auto& cells = table.rows.emplace_back();
    for (const std::string& column : table.header)
      cells.push_back(row.contains(column) ? row[column] : ordered_json());
  }
  return table;
}

void collect(const std::string& title, const ordered_json& value, int depth,
             std::vector<ResultTable>& tables) {
  if (depth > kDeepest) return;
  if (is_named_rows(value)) {
    tables.push_back(table_of(title, named_rows("", value)));
  } else if (is_list_of_objects(value)) {
    std::vector<Row> rows;
    for (const ordered_json& entry : value)
      for (Row& row : flattened(entry, depth)) rows.push_back(std::move(row));
    tables.push_back(table_of(title, rows));
  } else if (value.is_object()) {
    std::vector<Row> scalars;
    for (const auto& [key, member] : value.items()) {
      if (is_scalar(member)) scalars.push_back({{"", key}, {"value", member}});
      if (is_short_list(member)) scalars.push_back({{"", key}, {"value", joined(member)}});
    }
    if (!scalars.empty()) tables.push_back(table_of(title, scalars));
    for (const auto& [key, member] : value.items())
      if (member.is_structured() && !is_short_list(member))
        collect(fmt::format("{}: {}", title, key), member, depth + 1, tables);
  }
}

}  // namespace

std::string cell_text(const ordered_json& scalar) {
  if (scalar.is_null()) return "–";
  if (scalar.is_string()) return scalar.get<std::string>();
  if (scalar.is_boolean()) return scalar.get<bool>() ? "yes" : "no";
  return scalar.is_number() ? number_text(scalar.get<double>()) : "";
}

std::vector<ResultTable> result_tables(const std::string& title, const ordered_json& result) {
  std::vector<ResultTable> tables;
  collect(title, result, 0, tables);
  return tables;
}

}  // namespace lodestone::tools
