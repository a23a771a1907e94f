#include "data/cell_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/check.h"

namespace lodestone {

double normalised_count(double count, double cell_total, const ValueOptions& options) {
  return options.normalise_total ? count / cell_total * options.target_total : count;
}

CellTokenizer::CellTokenizer(const GeneMapping& mapping, const Vocabulary& vocabulary,
                             const ValueOptions& options)
    : options_(options),
      written_token_(mapping.own_token.size(), -1),
      median_(mapping.own_token.size(), 1) {
  for (std::size_t i = 0; i < mapping.own_token.size(); ++i) {
    if (mapping.own_token[i] < 0) continue;
    const GeneToken& own = vocabulary.token(mapping.own_token[i]);
    written_token_[i] = vocabulary.written_id(own);
    median_[i] = own.median.value_or(1);
  }
}

RankedGenes CellTokenizer::operator()(std::span<const std::int32_t> genes,
                                      std::span<const float> counts, double cell_total) const {
  std::vector<std::pair<float, std::int32_t>> ranked;
  ranked.reserve(genes.size());
  for (std::size_t i = 0; i < genes.size(); ++i) {
    const auto gene = static_cast<std::size_t>(genes[i]);
    if (written_token_[gene] < 0) continue;
    const double relative = normalised_count(counts[i], cell_total, options_) / median_[gene];
    const auto value = static_cast<float>(std::log2(1 + relative));
    check_input(std::isfinite(value) && value > 0,
                "the value of token {} is {} for a count of {} and a median of {}; give the gene a "
                "median of the size of its counts",
                written_token_[gene], value, counts[i], median_[gene]);
    ranked.emplace_back(value, written_token_[gene]);
  }
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  RankedGenes result;
  result.truncated = static_cast<std::int64_t>(ranked.size()) > options_.max_length;
  if (result.truncated) ranked.resize(static_cast<std::size_t>(options_.max_length));
  for (const auto& [value, token] : ranked) {
    result.tokens.push_back(static_cast<std::uint32_t>(token));
    result.values.push_back(value);
  }
  return result;
}

}  // namespace lodestone
