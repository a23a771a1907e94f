#include "data/median_pass.h"

#include <cstddef>

#include "data/median_search.h"
#include "data/medians.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

constexpr std::int64_t kMostKept = std::int64_t{1} << 25;  // values, in a search: 256 MiB

// Calls add(part, token, value) for every value of the kept cells, each thread with its own part.
template <class Part, class Add>
void add_values(CheckedFile& file, const ValueOptions& options, Passes& passes,
                std::vector<Part>& parts, Add&& add) {
  const auto add_cell = [&](Part& part, const CellBlock& block, std::int64_t cell) {
    const CellView genes = view(block, cell);
    const double total = file.quality.totals[static_cast<std::size_t>(block.first_cell + cell)];
    for (std::size_t i = 0; i < genes.genes.size(); ++i) {
      const auto token = file.mapping.own_token[static_cast<std::size_t>(genes.genes[i])];
      if (token < 0) continue;
      add(part, static_cast<std::size_t>(token), normalised_count(genes.counts[i], total, options));
    }
  };
  const auto part_count = static_cast<std::int64_t>(parts.size());
  for_each_block(file, 0, file.report.cells, passes,
                 [&](const CellBlock& block, const std::vector<std::int64_t>& kept) {
                   const auto cells = static_cast<std::int64_t>(kept.size());
                   parallel_for(part_count, 1, [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t part = begin; part < end; ++part)
                       for (auto i = cells * part / part_count; i < cells * (part + 1) / part_count;
                            ++i)
                         add_cell(parts[static_cast<std::size_t>(part)], block,
                                  kept[static_cast<std::size_t>(i)]);
                   });
                 });
}

// Counts repeat, so one pass that counts them is enough.
void count_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                   const ValueOptions& options, Passes& passes) {
  using GeneCounts = std::vector<ValueCounts>;  // by token
  const auto tokens = static_cast<std::size_t>(vocabulary.size());
  std::vector<GeneCounts> parts(static_cast<std::size_t>(thread_count()), GeneCounts(tokens));
  for (CheckedFile& file : files)
    add_values(file, options, passes, parts,
               [](GeneCounts& part, std::size_t token, double value) { part[token].add(value); });
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t part = 1; part < parts.size(); ++part)
      parts[0][token].merge(parts[part][token]);
    if (!parts[0][token].empty())
      vocabulary.set_median(static_cast<std::int32_t>(token), parts[0][token].median());
  }
}

// Counts divided by the total of their cell do not repeat.
void search_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                    const ValueOptions& options, Passes& passes) {
  const auto tokens = static_cast<std::size_t>(vocabulary.size());
  MedianSearch search(tokens, kMostKept);
  const std::function<void(std::int64_t, std::int64_t)> nobody;
  Passes unseen{nobody};
  for (bool is_first = true; !search.is_done(); is_first = false) {
    std::vector<MedianSearch::Part> parts(static_cast<std::size_t>(thread_count()),
                                          MedianSearch::Part(search));
    for (CheckedFile& file : files)
      add_values(file, options, is_first ? passes : unseen, parts,
                 [](MedianSearch::Part& part, std::size_t token, double value) {
                   part.add(token, value);
                 });
    search.finish_pass(parts);
  }
  for (std::size_t token = 0; token < tokens; ++token)
    if (const std::optional<double> median = search.median(token))
      vocabulary.set_median(static_cast<std::int32_t>(token), median);
}

}  // namespace

void fit_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                 const ValueOptions& options, Passes& passes) {
  clear_medians(vocabulary);
  if (options.normalise_total)
    search_medians(files, vocabulary, options, passes);
  else
    count_medians(files, vocabulary, options, passes);
}

}  // namespace lodestone
