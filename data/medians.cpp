#include "data/medians.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>

#include "data/gene_id.h"
#include "data/table_file.h"
#include "engine/core/check.h"

namespace lodestone {

void ValueCounts::add_other(double value) {
  constexpr std::size_t kPendingAtLeast = 64;
  pending_.push_back(value);
  if (pending_.size() >= std::max(kPendingAtLeast, occurrences_.size())) merge_pending();
}

void ValueCounts::merge_pending() {
  std::sort(pending_.begin(), pending_.end());
  std::vector<std::pair<double, std::int64_t>> merged;
  auto known = occurrences_.begin();
  for (const double value : pending_) {
    for (; known != occurrences_.end() && known->first <= value; ++known) merged.push_back(*known);
    if (!merged.empty() && merged.back().first == value)
      ++merged.back().second;
    else
      merged.emplace_back(value, 1);
  }
  merged.insert(merged.end(), known, occurrences_.end());
  occurrences_ = std::move(merged);
  pending_.clear();
}

void ValueCounts::merge(const ValueCounts& other) {
  for (std::size_t i = 0; i < small_.size(); ++i) small_[i] += other.small_[i];
  for (const double value : other.pending_) add_other(value);
  std::vector<std::pair<double, std::int64_t>> merged;
  std::merge(occurrences_.begin(), occurrences_.end(), other.occurrences_.begin(),
             other.occurrences_.end(), std::back_inserter(merged));
  occurrences_.clear();
  for (const auto& [value, count] : merged) {
    if (!occurrences_.empty() && occurrences_.back().first == value)
      occurrences_.back().second += count;
    else
      occurrences_.emplace_back(value, count);
  }
}

bool ValueCounts::empty() const {
  return pending_.empty() && occurrences_.empty() &&
         std::all_of(small_.begin(), small_.end(), [](std::uint32_t count) { return count == 0; });
}

double ValueCounts::median() {
  merge_pending();
  std::vector<std::pair<double, std::int64_t>> all = occurrences_;
  for (std::size_t i = 0; i < small_.size(); ++i)
    if (small_[i] > 0) all.emplace_back(static_cast<double>(i), small_[i]);
  std::sort(all.begin(), all.end());
  std::int64_t total = 0;
  for (const auto& [value, count] : all) total += count;
  check(total > 0, "median: no value was added");
  const auto value_at = [&](std::int64_t rank) {
    for (const auto& [value, count] : all) {
      if (rank < count) return value;
      rank -= count;
    }
    return all.back().first;
  };
  return (value_at((total - 1) / 2) + value_at(total / 2)) / 2;
}

std::int64_t read_medians(const std::filesystem::path& path, Vocabulary& vocabulary) {
  TableFile table(path);
  const int gene = table.column(
      "Ensembl ids", {"gene", "ensembl_id", "gene_id", "ensembl_gene_id", "ensembl", "token"});
  const int median = table.column("medians", {"median", "nonzero_median", "non_zero_median"});
  clear_medians(vocabulary);
  std::unordered_map<std::string, std::int64_t> line_of_gene;
  std::int64_t set = 0;
  while (table.next()) {
    const auto id = parse_gene_id(table.field(gene));
    if (!id || table.field(median).empty()) continue;
    const auto [first, is_new] = line_of_gene.emplace(id->stem, table.line());
    check_input(is_new, "{}: gene {} stands on line {} already; keep one of the two rows",
                table.where(), first->first, first->second);
    const double value = table.number(median);
    check_input(value > 0, "{}: the median of {} is {}, expected a number above 0", table.where(),
                id->stem, value);
    if (const GeneToken* token = vocabulary.find(id->stem)) {
      vocabulary.set_median(token->id, value);
      ++set;
    }
  }
  check_input(set > 0,
              "{}: holds no median of a gene of the vocabulary; expected Ensembl ids in {}",
              path.string(), table.header()[static_cast<std::size_t>(gene)]);
  return set;
}

void clear_medians(Vocabulary& vocabulary) {
  for (std::int64_t i = 0; i < vocabulary.size() - kSpecialTokens; ++i)
    vocabulary.set_median(static_cast<std::int32_t>(kSpecialTokens + i), {});
}

bool has_medians(const Vocabulary& vocabulary) {
  return std::any_of(vocabulary.tokens().begin(), vocabulary.tokens().end(),
                     [](const GeneToken& token) { return token.median.has_value(); });
}

}  // namespace lodestone
