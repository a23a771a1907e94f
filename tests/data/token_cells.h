#pragma once
// Token directories of random cells, for tests.
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "data/token_directory.h"
#include "engine/core/check.h"

namespace lodestone::testing {

constexpr std::int64_t kVocabulary = 500;

// Cell number `index` of `length` ranked tokens; a pure function of both.
inline TokenizedCell random_cell(std::int64_t index, std::int64_t length,
                                 std::int64_t vocabulary = kVocabulary) {
  std::mt19937_64 random(static_cast<std::uint64_t>(index));
  TokenizedCell cell;
  float value = 1000;
  for (std::int64_t i = 0; i < length; ++i) {
    value *= 1 - 0.002f * static_cast<float>(random() % 2);  // ties occur
    cell.values.push_back(value);
    const auto genes = static_cast<std::uint64_t>(vocabulary - kSpecialTokens);
    cell.tokens.push_back(static_cast<std::uint32_t>(kSpecialTokens + random() % genes));
  }
  cell.species = index % 3 == 0 ? Species::kMouse : Species::kHuman;
  cell.cell_id = "cell-" + std::to_string(index);
  return cell;
}

inline TokenDirectoryWriter::Options writer_options(std::int64_t cells_per_shard) {
  TokenDirectoryWriter::Options options;
  options.cells_per_shard = cells_per_shard;
  options.vocabulary_size = kVocabulary;
  options.seed = 7;
  return options;
}

// Cells of 1 .. longest tokens, the first of length 1.
inline TokenDirectory make_directory(const std::filesystem::path& path, std::int64_t cells,
                                     std::int64_t longest, std::int64_t cells_per_shard = 64) {
  TokenDirectoryWriter writer(path, writer_options(cells_per_shard));
  for (std::int64_t i = 0; i < cells; ++i) writer.append(random_cell(i, 1 + i * 37 % longest));
  writer.finish("{}");
  return TokenDirectory(path);
}

}  // namespace lodestone::testing
