#pragma once
// Token directories of random cells, for tests.
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "data/token_directory.h"
#include "data/token_directory_writer.h"
#include "engine/core/check.h"

namespace lodestone::testing {

constexpr std::int64_t kVocabulary = 500;

struct TokenizedCell {
  std::vector<std::uint32_t> tokens;
  std::vector<float> values;
  Species species = Species::kHuman;
  std::string cell_id;
};

// The plan of these cells, without labels.
inline TokenPlan plan_of(const std::vector<TokenizedCell>& cells) {
  TokenPlan plan;
  for (const TokenizedCell& cell : cells) {
    plan.lengths.push_back(static_cast<std::int32_t>(cell.tokens.size()));
    plan.species.push_back(cell.species);
    plan.cell_ids.push_back(cell.cell_id);
  }
  return plan;
}

// A token directory of these cells at `path`, which is made.
inline void write_cells(const std::filesystem::path& path,
                        const TokenDirectoryWriter::Options& options,
                        const std::vector<TokenizedCell>& cells, std::vector<ObsColumn> obs = {},
                        const std::string& manifest = "{}") {
  std::filesystem::create_directory(path);
  TokenPlan plan = plan_of(cells);
  plan.obs = std::move(obs);
  TokenDirectoryWriter writer(path, options, std::move(plan));
  for (std::size_t i = 0; i < cells.size(); ++i)
    writer.put(static_cast<std::int64_t>(i), cells[i].tokens, cells[i].values);
  writer.finish(manifest);
}

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
  std::vector<TokenizedCell> made;
  for (std::int64_t i = 0; i < cells; ++i) made.push_back(random_cell(i, 1 + i * 37 % longest));
  write_cells(path, writer_options(cells_per_shard), made);
  return TokenDirectory(path);
}

}  // namespace lodestone::testing
