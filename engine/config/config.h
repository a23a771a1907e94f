#pragma once
// Settings are plain structs whose fields are listed once:
//
//   template <class Visitor> void fields(Visitor& visit) {
//     visit("batch_cells", batch_cells, "cells of a global batch");  // name, member, help and unit
//   }
//
// From that list come parsing (TOML files, environment, --set a.b=c), printing, help and
// comparison. Fields are std::int64_t, std::uint64_t, int, double, float, bool, std::string,
// std::vector<std::string>, or nested structs.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace lodestone::config {

using Pointer = std::variant<std::int64_t*, std::uint64_t*, int*, double*, float*, bool*,
                             std::string*, std::vector<std::string>*>;
struct Field {
  std::string path;  // "loader.batch_cells"
  Pointer target;
  std::string help;
};

// The leaves of a settings struct, in order. Pointers are into `settings`.
template <class Settings>
std::vector<Field> fields_of(Settings& settings, const std::string& prefix = "");

// Later calls win. Unknown keys, wrong types and numbers out of a type's range throw
// kInvalidArgument with the file or flag, the key, what was expected, and a "did you mean".
void apply_toml_file(const std::vector<Field>& fields, const std::filesystem::path& file);
// LODESTONE_LOADER__BATCH_CELLS=64. A variable whose table these fields have but whose key they
// lack is an error; other LODESTONE_* variables belong to someone else and are passed over.
void apply_environment(const std::vector<Field>& fields);
void apply_assignment(const std::vector<Field>& fields, std::string_view assignment);  // a.b=c
// The value of one field; `where` says in errors what gave it.
void apply_text(const Field& field, std::string_view text, std::string_view where);
std::string to_toml(
    const std::vector<Field>& fields);  // tables, one line a field, help as comments
std::string to_json(const std::vector<Field>& fields);  // nested object
std::string value_text(const Field& field);             // as TOML writes it
// ", did you mean 'known'?", or nothing when no known word is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);
// "loader.batch_cells: 32 -> 64" for each field that differs; both from the same struct type.
std::vector<std::string> differences(const std::vector<Field>& a, const std::vector<Field>& b);

// ---- implementation of fields_of ----
namespace detail {
struct Collector {
  std::vector<Field>* fields;
  std::string prefix;
  template <class T>
  void operator()(const char* name, T& member, const char* help) {
    if constexpr (std::is_constructible_v<Pointer, T*>)
      fields->push_back({prefix + name, Pointer(&member), help});
    else {
      Collector nested{fields, prefix + name + "."};
      member.fields(nested);
    }
  }
};
}  // namespace detail

template <class Settings>
std::vector<Field> fields_of(Settings& settings, const std::string& prefix) {
  std::vector<Field> fields;
  detail::Collector collector{&fields, prefix};
  settings.fields(collector);
  return fields;
}

}  // namespace lodestone::config
