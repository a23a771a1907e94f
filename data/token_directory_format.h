#pragma once
// What the writer and the reader of token directories agree on. data/token_directory*.cpp only.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lodestone {

inline constexpr const char* kTokenFormat = "lodestone-tokens";
inline constexpr std::int64_t kTokenFormatVersion = 1;
inline constexpr const char* kManifestName = "manifest.json";

struct ShardRecord {
  std::string file;  // a plain name in the directory
  std::int64_t cells = 0, tokens = 0;
  std::string hash;  // XXH3 of the file
};

struct TokenManifest {
  std::int64_t cells = 0, tokens = 0, vocabulary_size = 0;
  std::vector<ShardRecord> shards;
};

inline std::string shard_name(std::size_t index) {
  return fmt::format("shard-{:05}.h5", index);
}

// `extra` is a JSON object whose keys are added; throws kInvalidArgument when it is not one or has
// a key of the format's own.
std::string manifest_text(const TokenManifest& manifest, const std::string& extra);
// Throws kBadInput, naming `path`, unless everything is there and the counts add up.
TokenManifest parse_manifest(const std::filesystem::path& path, const std::string& text);

}  // namespace lodestone
