#include "tools/commands/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <type_traits>
#include <variant>
#include <vector>

namespace lodestone::tools {

std::string shown_value(const config::Field& field) {
  if (const auto* text = std::get_if<std::string*>(&field.target)) return **text;
  if (const auto* list = std::get_if<std::vector<std::string>*>(&field.target))
    return fmt::format("{}", fmt::join(**list, ","));
  return config::value_text(field);
}

std::string value_hint(const config::Field& field) {
  std::string kind = std::visit(
      [](const auto* target) -> std::string {
        using T = std::remove_cv_t<std::remove_pointer_t<decltype(target)>>;
        if constexpr (std::is_same_v<T, std::string>) return "TEXT";
        if constexpr (std::is_same_v<T, std::vector<std::string>>) return "TEXT...";
        if constexpr (std::is_same_v<T, bool>) return "";
        if constexpr (std::is_floating_point_v<T>) return "NUMBER";
        return "N";
      },
      field.target);
  const std::string value = shown_value(field);
  if (value.empty()) return kind;
  return fmt::format("{}{}[{}]", kind, kind.empty() ? "" : " ", value);
}

}  // namespace lodestone::tools
