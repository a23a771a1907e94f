#include "bench/compare.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone::bench {

namespace {

using nlohmann::ordered_json;
using Seconds = std::vector<std::pair<std::string, double>>;

ordered_json read_result(const std::filesystem::path& path) {
  ordered_json json = ordered_json::parse(read_text(path), nullptr, false);
  check_input(json.is_object() && json.contains("rows") && json["rows"].is_array(),
              "{}: not a result of lodestone bench, an object with \"rows\"; make one with "
              "lodestone bench --out",
              path.string());
  return json;
}

Seconds seconds_in(const ordered_json& result, const std::filesystem::path& path) {
  Seconds rows;
  for (const ordered_json& row : result["rows"]) {
    check_input(row.is_object() && row.contains("name") && row["name"].is_string() &&
                    row.contains("seconds") && row["seconds"].is_number() && row["seconds"] > 0,
                "{}: row {} must have a \"name\" and \"seconds\" above 0, found {}", path.string(),
                rows.size(), row.dump());
    rows.emplace_back(row["name"], row["seconds"]);
  }
  return rows;
}

std::vector<std::string> differences(const ordered_json& before, const ordered_json& after) {
  std::vector<std::string> found;
  for (const char* key : {"device", "processor", "threads", "build", "shape"}) {
    const ordered_json a = before.value(key, ordered_json()), b = after.value(key, ordered_json());
    if (a != b) found.push_back(fmt::format("{}: {}, then {}", key, a.dump(), b.dump()));
  }
  return found;
}

}  // namespace

Comparison compare(const std::filesystem::path& before, const std::filesystem::path& after) {
  const ordered_json first = read_result(before), second = read_result(after);
  const Seconds old_rows = seconds_in(first, before), new_rows = seconds_in(second, after);
  std::map<std::string, double> unmatched(new_rows.begin(), new_rows.end());
  Comparison comparison;
  comparison.other_conditions = differences(first, second);
  for (const auto& [name, seconds] : old_rows) {
    const auto found = unmatched.find(name);
    if (found == unmatched.end()) {
      comparison.removed.push_back(name);
    } else {
      comparison.lines.push_back({name, seconds, found->second});
      unmatched.erase(found);
    }
  }
  for (const auto& [name, seconds] : new_rows)
    if (unmatched.contains(name)) comparison.added.push_back(name);
  return comparison;
}

}  // namespace lodestone::bench
