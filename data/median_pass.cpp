#include "data/median_pass.h"

#include <cstddef>

#include "data/medians.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

using GeneCounts = std::vector<ValueCounts>;  // by token

void count_cells(const CheckedFile& file, const CellBlock& block,
                 std::span<const std::int64_t> cells, const ValueOptions& options,
                 GeneCounts& counts) {
  for (const std::int64_t cell : cells) {
    const CellView genes = view(block, cell);
    const double total = file.quality.totals[static_cast<std::size_t>(block.first_cell + cell)];
    for (std::size_t i = 0; i < genes.genes.size(); ++i) {
      const auto token = file.mapping.own_token[static_cast<std::size_t>(genes.genes[i])];
      if (token < 0) continue;
      counts[static_cast<std::size_t>(token)].add(
          normalised_count(genes.counts[i], total, options));
    }
  }
}

}  // namespace

void fit_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                 const ValueOptions& options, Passes& passes) {
  const auto tokens = static_cast<std::size_t>(vocabulary.size());
  // Each thread counts its own cells.
  std::vector<GeneCounts> parts(static_cast<std::size_t>(thread_count()), GeneCounts(tokens));
  const auto part_count = static_cast<std::int64_t>(parts.size());
  for (CheckedFile& file : files) {
    for_each_block(
        file, 0, passes, [&](const CellBlock& block, const std::vector<std::int64_t>& kept) {
          const auto cells = static_cast<std::int64_t>(kept.size());
          parallel_for(part_count, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t part = begin; part < end; ++part) {
              const auto first = static_cast<std::size_t>(cells * part / part_count);
              const auto last = static_cast<std::size_t>(cells * (part + 1) / part_count);
              count_cells(file, block, std::span(kept).subspan(first, last - first), options,
                          parts[static_cast<std::size_t>(part)]);
            }
          });
        });
  }
  clear_medians(vocabulary);
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t part = 1; part < parts.size(); ++part)
      parts[0][token].merge(parts[part][token]);
    if (!parts[0][token].empty())
      vocabulary.set_median(static_cast<std::int32_t>(token), parts[0][token].median());
  }
}

}  // namespace lodestone
