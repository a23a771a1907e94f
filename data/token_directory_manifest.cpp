#include <nlohmann/json.hpp>

#include "data/token_directory_format.h"
#include "engine/core/check.h"
#include "model/batch.h"

namespace lodestone {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kMost = std::uint64_t{1} << 48;  // cells or tokens

// object[key] as a whole number.
std::int64_t whole_number(const std::filesystem::path& path, const json& object, const char* key) {
  check_input(object.contains(key) && object[key].is_number_unsigned() &&
                  object[key].get<std::uint64_t>() <= kMost,
              "{}: {} must be a whole number up to {}", path.string(), key, kMost);
  return object[key].get<std::int64_t>();
}

std::string text(const std::filesystem::path& path, const json& object, const char* key) {
  check_input(object.contains(key) && object[key].is_string(), "{}: {} must be a text",
              path.string(), key);
  return object[key].get<std::string>();
}

ShardRecord parse_shard(const std::filesystem::path& path, const json& item) {
  check_input(item.is_object(), "{}: every shard must be an object", path.string());
  ShardRecord shard{text(path, item, "file"), whole_number(path, item, "cells"),
                    whole_number(path, item, "tokens"), text(path, item, "xxh3")};
  check_input(!shard.file.empty() && shard.file == std::filesystem::path(shard.file).filename() &&
                  shard.file != "..",
              "{}: shard '{}' must be the name of a file in this directory", path.string(),
              shard.file);
  return shard;
}

}  // namespace

std::string manifest_text(const TokenManifest& manifest, const std::string& extra) {
  ordered_json result = {{"format", kTokenFormat},
                         {"version", kTokenFormatVersion},
                         {"cells", manifest.cells},
                         {"tokens", manifest.tokens},
                         {"vocabulary_size", manifest.vocabulary_size},
                         {"shards", ordered_json::array()}};
  for (const ShardRecord& shard : manifest.shards)
    result["shards"].push_back({{"file", shard.file},
                                {"cells", shard.cells},
                                {"tokens", shard.tokens},
                                {"xxh3", shard.hash}});
  const auto more = ordered_json::parse(extra, nullptr, /*allow_exceptions=*/false);
  check(more.is_object(), "token directory: the manifest's extra keys must be a JSON object");
  for (const auto& [key, value] : more.items()) {
    check(!result.contains(key), "token directory: the manifest's key {} is its own", key);
    result[key] = value;
  }
  return result.dump(2) + "\n";
}

TokenManifest parse_manifest(const std::filesystem::path& path, const std::string& text_of_file) {
  const json manifest = json::parse(text_of_file, nullptr, /*allow_exceptions=*/false);
  check_input(manifest.is_object() && manifest.value("format", json()) == kTokenFormat,
              "{}: is not the manifest of a token directory (format \"{}\"); make one with "
              "`lodestone tokenize`",
              path.string(), kTokenFormat);
  const std::int64_t version = whole_number(path, manifest, "version");
  check_input(version == kTokenFormatVersion, "{}: has version {}, expected {}", path.string(),
              version, kTokenFormatVersion);
  TokenManifest result{whole_number(path, manifest, "cells"),
                       whole_number(path, manifest, "tokens"),
                       whole_number(path, manifest, "vocabulary_size"),
                       {}};
  check_input(result.vocabulary_size > kSpecialTokens && result.vocabulary_size <= INT32_MAX,
              "{}: vocabulary_size is {}, expected {} to {}", path.string(), result.vocabulary_size,
              kSpecialTokens + 1, INT32_MAX);
  check_input(manifest.contains("shards") && manifest["shards"].is_array(),
              "{}: shards must be a list", path.string());
  std::int64_t cells = 0, tokens = 0;
  bool overflows = false;
  for (const json& item : manifest["shards"]) {
    const ShardRecord& shard = result.shards.emplace_back(parse_shard(path, item));
    overflows |= __builtin_add_overflow(cells, shard.cells, &cells) ||
                 __builtin_add_overflow(tokens, shard.tokens, &tokens);
  }
  check_input(!overflows && cells == result.cells && tokens == result.tokens,
              "{}: announces {} cells and {} tokens, its shards add up to {} and {}", path.string(),
              result.cells, result.tokens, cells, tokens);
  return result;
}

}  // namespace lodestone
