#pragma once
// Non-zero medians of genes over a corpus (spec section 1, "Values").
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "data/vocabulary.h"

namespace lodestone {

// Counts how often each value occurs, so that the median is exact and memory grows with the number
// of distinct values: counts repeat, and most are small.
class ValueCounts {
 public:
  void add(double value) {
    const auto whole = static_cast<std::uint32_t>(std::min(value, kSmall));
    if (value > 0 && value < kSmall && whole == value)
      ++small_[whole];
    else
      add_other(value);
  }
  void merge(const ValueCounts& other);
  bool empty() const;
  // The middle value, or the mean of the two middle ones. At least one value must have been added.
  double median();

 private:
  static constexpr double kSmall = 32;
  void add_other(double value);
  void merge_pending();

  std::array<std::uint32_t, 32> small_{};                     // how often 1, 2, ... 31
  std::vector<double> pending_;                               // of the others, not yet counted
  std::vector<std::pair<double, std::int64_t>> occurrences_;  // ascending values
};

// Replaces the medians of `vocabulary` by those of a tab-separated table with the columns gene (an
// Ensembl id; other spellings as in gene tables) and median. Genes that the vocabulary lacks and
// rows without a median or a gene id are skipped. Returns how many medians were set. Throws
// kBadInput, naming file and line, for a median that is not above 0 or a gene that occurs twice,
// and when no median was set.
std::int64_t read_medians(const std::filesystem::path& path, Vocabulary& vocabulary);

void clear_medians(Vocabulary& vocabulary);
bool has_medians(const Vocabulary& vocabulary);

}  // namespace lodestone
