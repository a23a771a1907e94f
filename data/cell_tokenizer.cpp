#include "data/cell_tokenizer.h"

#include <bit>
#include <cmath>

#include "data/radix_sort.h"
#include "engine/core/check.h"

namespace lodestone {
namespace {

constexpr std::size_t kSmallCounts = 16;  // most counts of a cell are below
constexpr int kFloatBits = 31;            // of a positive float
constexpr std::uint32_t kGreatestFloat = 0x7fffffff;

}  // namespace

double normalised_count(double count, double cell_total, const ValueOptions& options) {
  return options.normalise_total ? count / cell_total * options.target_total : count;
}

CellTokenizer::CellTokenizer(const GeneMapping& mapping, const Vocabulary& vocabulary,
                             const ValueOptions& options)
    : options_(options),
      token_bits_(static_cast<int>(std::bit_width(static_cast<std::uint64_t>(vocabulary.size())))),
      written_token_(mapping.own_token.size(), -1),
      median_(mapping.own_token.size(), 1) {
  for (std::size_t i = 0; i < mapping.own_token.size(); ++i) {
    if (mapping.own_token[i] < 0) continue;
    const GeneToken& own = vocabulary.token(mapping.own_token[i]);
    written_token_[i] = vocabulary.written_id(own);
    median_[i] = own.median.value_or(1);
  }
  if (options.normalise_total) return;
  for (std::size_t gene = 0; gene < median_.size(); ++gene)
    for (std::size_t count = 0; count < kSmallCounts; ++count)
      small_values_.push_back(
          static_cast<float>(std::log2(1 + static_cast<double>(count) / median_[gene])));
}

float CellTokenizer::value(std::size_t gene, float count, double cell_total) const {
  if (!small_values_.empty() && count < static_cast<float>(kSmallCounts)) {
    const auto whole = static_cast<std::size_t>(count);
    if (static_cast<float>(whole) == count) return small_values_[gene * kSmallCounts + whole];
  }
  const double relative = normalised_count(count, cell_total, options_) / median_[gene];
  return static_cast<float>(std::log2(1 + relative));
}

// Ascends as the value descends and, for equal values, as the token ascends: positive floats are
// ordered as their bits are.
std::uint64_t CellTokenizer::key(std::size_t gene, float value) const {
  const std::uint32_t descending = kGreatestFloat - std::bit_cast<std::uint32_t>(value);
  return (std::uint64_t{descending} << token_bits_) |
         static_cast<std::uint32_t>(written_token_[gene]);
}

void CellTokenizer::rank(std::span<const std::int32_t> genes, std::span<const float> counts,
                         double cell_total, RankedGenes& result) const {
  thread_local std::vector<std::uint64_t> keys, scratch;
  keys.clear();
  for (std::size_t i = 0; i < genes.size(); ++i) {
    const auto gene = static_cast<std::size_t>(genes[i]);
    if (written_token_[gene] < 0) continue;
    const float found = value(gene, counts[i], cell_total);
    check_input(std::isfinite(found) && found > 0,
                "the value of token {} is {} for a count of {} and a median of {}; give the gene a "
                "median of the size of its counts",
                written_token_[gene], found, counts[i], median_[gene]);
    keys.push_back(key(gene, found));
  }
  radix_sort(keys, scratch, kFloatBits + token_bits_);
  result.truncated = static_cast<std::int64_t>(keys.size()) > options_.max_length;
  if (result.truncated) keys.resize(static_cast<std::size_t>(options_.max_length));
  result.tokens.resize(keys.size());
  result.values.resize(keys.size());
  const std::uint64_t token_mask = (std::uint64_t{1} << token_bits_) - 1;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    result.tokens[i] = static_cast<std::uint32_t>(keys[i] & token_mask);
    const auto descending = static_cast<std::uint32_t>(keys[i] >> token_bits_);
    result.values[i] = std::bit_cast<float>(kGreatestFloat - descending);
  }
}

RankedGenes CellTokenizer::operator()(std::span<const std::int32_t> genes,
                                      std::span<const float> counts, double cell_total) const {
  RankedGenes result;
  rank(genes, counts, cell_total, result);
  return result;
}

}  // namespace lodestone
