#include "engine/config/config.h"

#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sstream>

#include "engine/core/check.h"

namespace lodestone::config {

namespace {

constexpr std::string_view kEnvironmentPrefix = "LODESTONE_";

// Insertions, deletions and replacements of characters that turn a into b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

[[noreturn]] void fail_unknown(const std::vector<Field>& fields, std::string_view key,
                               std::string_view where) {
  std::vector<std::string> known(fields.size());
  std::transform(fields.begin(), fields.end(), known.begin(),
                 [](const Field& field) { return field.path; });
  fail(ErrorKind::kInvalidArgument, "{}: there is no setting '{}'{}", where, key,
       did_you_mean(key, known));
}

const Field* find(const std::vector<Field>& fields, std::string_view path) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path == path; });
  return found == fields.end() ? nullptr : &*found;
}

[[noreturn]] void fail_value(const Field& field, std::string_view where, std::string_view found,
                             std::string_view expected) {
  fail(ErrorKind::kInvalidArgument, "{}: {} = {} cannot be used: expected {}", where, field.path,
       found, expected);
}

template <class T>
std::string expected_of() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::string>) return "text";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "a list of texts";
  if constexpr (std::is_floating_point_v<T>) return "a finite number";
  if constexpr (std::is_same_v<T, std::uint64_t>)
    return fmt::format("a whole number from 0 to {}", std::numeric_limits<std::int64_t>::max());
  if constexpr (std::is_same_v<T, std::int64_t>) return "a whole number";
  if constexpr (std::is_same_v<T, int>)
    return fmt::format("a whole number from {} to {}", std::numeric_limits<int>::min(),
                       std::numeric_limits<int>::max());
}

// A whole number that fits T. TOML has 64-bit signed integers, so an unsigned setting is held to
// their range: what is printed can be read again.
template <class T>
std::optional<T> from_integer(std::int64_t value) {
  if (!std::in_range<T>(value)) return std::nullopt;
  return static_cast<T>(value);
}

template <class T>
std::optional<T> from_real(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max())) return std::nullopt;
  return static_cast<T>(value);
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> split_list(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part.size() >= 2 && (part.front() == '"' || part.front() == '\'') &&
        part.back() == part.front())
      part = part.substr(1, part.size() - 2);
    parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

template <class T>
std::optional<T> from_text(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
    if (text == "false" || text == "off" || text == "no" || text == "0") return false;
    return std::nullopt;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::string(text);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return split_list(text);
  } else if constexpr (std::is_floating_point_v<T>) {
    const auto value = parse_number<double>(text);
    return value ? from_real<T>(*value) : std::nullopt;
  } else {
    const auto value = parse_number<std::int64_t>(text);
    return value ? from_integer<T>(*value) : std::nullopt;
  }
}

template <class T>
std::optional<T> from_toml(const toml::node& node) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>) {
    return node.value_exact<T>();
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    const toml::array* array = node.as_array();
    if (!array) return std::nullopt;
    T texts;
    for (const toml::node& element : *array) {
      if (!element.is_string()) return std::nullopt;
      texts.push_back(element.as_string()->get());
    }
    return texts;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (const auto* real = node.as_floating_point()) return from_real<T>(real->get());
    if (const auto* whole = node.as_integer())
      return from_real<T>(static_cast<double>(whole->get()));
    return std::nullopt;
  } else {
    const auto* whole = node.as_integer();
    return whole ? from_integer<T>(whole->get()) : std::nullopt;
  }
}

std::string text_of(const toml::node& node) {
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return std::move(text).str();
}

void set_from_toml(const Field& field, const toml::node& node, std::string_view file) {
  const std::string where = fmt::format("{}, line {}", file, node.source().begin.line);
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        auto value = from_toml<T>(node);
        if (!value) fail_value(field, where, text_of(node), expected_of<T>());
        *target = std::move(*value);
      },
      field.target);
}

void apply_table(const std::vector<Field>& fields, const toml::table& table,
                 const std::string& prefix, const std::string& file) {
  for (const auto& [key, node] : table) {
    const std::string path = prefix + std::string(key.str());
    if (const Field* field = find(fields, path)) {
      set_from_toml(*field, node, file);
    } else if (const toml::table* nested = node.as_table();
               nested && std::any_of(fields.begin(), fields.end(), [&](const Field& f) {
                 return f.path.starts_with(path + ".");
               })) {
      apply_table(fields, *nested, path + ".", file);
    } else {
      fail_unknown(fields, path, fmt::format("{}, line {}", file, node.source().begin.line));
    }
  }
}

std::string environment_name(std::string_view path) {
  std::string name(kEnvironmentPrefix);
  for (const char c : path) {
    if (c == '.')
      name += "__";
    else
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

nlohmann::ordered_json json_of(const Field& field) {
  return std::visit([](const auto* target) { return nlohmann::ordered_json(*target); },
                    field.target);
}

// Every JSON string is a basic string of TOML.
std::string toml_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Numbers are written with as few digits as bring back the same bits.
std::string toml_value(const Field& field) {
  return std::visit(
      [](const auto* target) -> std::string {
        using T = std::remove_cv_t<std::remove_pointer_t<decltype(target)>>;
        if constexpr (std::is_same_v<T, std::string>) {
          return toml_string(*target);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::vector<std::string> quoted;
          for (const std::string& text : *target) quoted.push_back(toml_string(text));
          return fmt::format("[{}]", fmt::join(quoted, ", "));
        } else {
          return fmt::format("{}", *target);
        }
      },
      field.target);
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  std::string_view best;
  for (const std::string& candidate : known) {
    const std::size_t distance = std::min(edit_distance(word, candidate),
                                          edit_distance(last_part(word), last_part(candidate)) + 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  if (best.empty() || best_distance > std::max<std::size_t>(2, last_part(word).size() / 2))
    return "";
  return fmt::format(", did you mean '{}'?", best);
}

std::string value_text(const Field& field) {
  return toml_value(field);
}

void apply_toml_file(const std::vector<Field>& fields, const std::filesystem::path& file) {
  check(std::filesystem::is_regular_file(file), "{}: there is no such settings file",
        file.string());
  try {
    apply_table(fields, toml::parse_file(file.string()), "", file.string());
  } catch (const toml::parse_error& error) {
    fail(ErrorKind::kInvalidArgument, "{}, line {}: not valid TOML: {}", file.string(),
         error.source().begin.line, error.description());
  }
}

void apply_environment(const std::vector<Field>& fields) {
  std::map<std::string, const Field*> field_of;
  std::vector<std::string> tables;
  for (const Field& field : fields) {
    field_of[environment_name(field.path)] = &field;
    if (const std::size_t dot = field.path.find('.'); dot != std::string::npos)
      tables.push_back(environment_name(field.path.substr(0, dot + 1)));
  }
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view variable = *entry;
    if (!variable.starts_with(kEnvironmentPrefix)) continue;
    const std::size_t equals = std::min(variable.find('='), variable.size());
    const std::string name(variable.substr(0, equals));
    if (const auto found = field_of.find(name); found != field_of.end()) {
      apply_text(*found->second, variable.substr(std::min(equals + 1, variable.size())),
                 "environment variable " + name);
    } else if (std::any_of(tables.begin(), tables.end(),
                           [&](const std::string& table) { return name.starts_with(table); })) {
      std::vector<std::string> known;
      known.reserve(field_of.size());
      for (const auto& [of_field, field] : field_of) known.push_back(of_field);
      fail(ErrorKind::kInvalidArgument, "environment: there is no setting for {}{}", name,
           did_you_mean(name, known));
    }
  }
}

void apply_assignment(const std::vector<Field>& fields, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  check(equals != std::string_view::npos && equals > 0,
        "--set {}: expected KEY=VALUE, for example --set loader.batch_cells=64", assignment);
  const std::string_view key = assignment.substr(0, equals);
  const Field* field = find(fields, key);
  if (!field) fail_unknown(fields, key, fmt::format("--set {}", assignment));
  apply_text(*field, assignment.substr(equals + 1), fmt::format("--set {}", assignment));
}

void apply_text(const Field& field, std::string_view text, std::string_view where) {
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        auto value = from_text<T>(text);
        if (!value) fail_value(field, where, fmt::format("'{}'", text), expected_of<T>());
        *target = std::move(*value);
      },
      field.target);
}

std::string to_toml(const std::vector<Field>& fields) {
  // TOML wants the keys of a table together, those of the root first.
  std::vector<std::string> tables;
  for (const Field& field : fields) {
    const std::size_t dot = field.path.rfind('.');
    const std::string table = dot == std::string::npos ? "" : field.path.substr(0, dot);
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
  }
  std::stable_partition(tables.begin(), tables.end(),
                        [](const std::string& table) { return table.empty(); });
  std::string text;
  for (const std::string& table : tables) {
    if (!table.empty()) text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", table);
    for (const Field& field : fields) {
      const std::string_view name = last_part(field.path);
      const std::size_t table_size = field.path.size() - name.size();
      if (table_size != (table.empty() ? 0 : table.size() + 1) || !field.path.starts_with(table))
        continue;
      text += fmt::format("{} = {}  # {}\n", name, toml_value(field), field.help);
    }
  }
  return text;
}

std::string to_json(const std::vector<Field>& fields) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  for (const Field& field : fields) {
    nlohmann::ordered_json* at = &root;
    std::string_view rest = field.path;
    for (std::size_t dot; (dot = rest.find('.')) != std::string_view::npos;
         rest.remove_prefix(dot + 1))
      at = &(*at)[std::string(rest.substr(0, dot))];
    (*at)[std::string(rest)] = json_of(field);
  }
  return root.dump(2);
}

std::vector<std::string> differences(const std::vector<Field>& a, const std::vector<Field>& b) {
  check(a.size() == b.size(), "differences: {} and {} settings cannot be compared", a.size(),
        b.size());
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::string before = toml_value(a[i]), after = toml_value(b[i]);
    if (before != after) lines.push_back(fmt::format("{}: {} -> {}", a[i].path, before, after));
  }
  return lines;
}

}  // namespace lodestone::config
