#pragma once
// Exact medians of many genes in bounded memory, whatever their values, by a few passes over these.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lodestone {

// The bits of a positive double ascend with it. A pass counts, for every gene, the next 8 bits of
// the values that agree with its middle values so far; once few enough agree, they are kept and
// sorted. Per pass: every value goes to some part's add(), then finish_pass() is called with all.
class MedianSearch {
 public:
  // What one thread has seen in a pass.
  class Part {
   public:
    explicit Part(const MedianSearch& search);
    void add(std::size_t gene, double value);  // value > 0

   private:
    friend class MedianSearch;
    const MedianSearch& search_;
    std::vector<std::uint32_t> counts_;      // [slots, 256]
    std::vector<std::vector<double>> kept_;  // [slots], in the last pass
  };

  // `most_kept` values are kept at a time, at most about.
  MedianSearch(std::size_t genes, std::int64_t most_kept) : targets_(genes), most_kept_(most_kept) {
    for (std::size_t gene = 0; gene < genes; ++gene) targets_[gene][0].slot = gene;
    slots_ = genes;
  }
  bool is_done() const { return phase_ == Phase::kDone; }
  void finish_pass(std::vector<Part>& parts);
  // The middle value, or the mean of the two middle ones; nothing for a gene without values.
  std::optional<double> median(std::size_t gene) const;

 private:
  enum class Phase : std::uint8_t { kCounting, kKeeping, kDone };
  static constexpr std::size_t kNone = SIZE_MAX;
  static constexpr int kDigitBits = 8;
  static constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

  // One of the two middle values: all but `rank` of the values that share its bits are above it.
  struct Target {
    std::size_t slot = kNone;  // where its values are counted; the second may share the first's
    std::uint64_t prefix = 0;  // its bits above shift_ + kDigitBits
    std::int64_t rank = 0;
    double value = 0;
  };
  using Targets = std::array<Target, 2>;

  void count_ranks(Targets& targets, const std::vector<std::uint32_t>& counts) const;
  std::int64_t narrow(Target& target, const std::vector<std::uint32_t>& counts) const;
  void finish_counting(std::vector<Part>& parts);
  void finish_keeping(std::vector<Part>& parts);

  std::vector<Targets> targets_;  // [genes]
  std::int64_t most_kept_;
  std::size_t slots_ = 0;
  int shift_ = 64 - kDigitBits;  // of the digit that is counted
  bool first_pass_ = true;
  Phase phase_ = Phase::kCounting;
};

}  // namespace lodestone
