#include "data/median_search.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace lodestone {

MedianSearch::Part::Part(const MedianSearch& search) : search_(search) {
  if (search.phase_ == Phase::kCounting) counts_.resize(search.slots_ * kDigits);
  if (search.phase_ == Phase::kKeeping) kept_.resize(search.slots_);
}

void MedianSearch::Part::add(std::size_t gene, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int digits_above = search_.shift_ + kDigitBits;
  const std::uint64_t prefix = digits_above < 64 ? bits >> digits_above : 0;
  std::size_t last = kNone;
  for (const Target& target : search_.targets_[gene]) {
    if (target.slot == kNone || target.slot == last || target.prefix != prefix) continue;
    last = target.slot;
    if (search_.phase_ == Phase::kCounting)
      ++counts_[target.slot * kDigits + ((bits >> search_.shift_) & (kDigits - 1))];
    else
      kept_[target.slot].push_back(value);
  }
}

void MedianSearch::finish_pass(std::vector<Part>& parts) {
  if (phase_ == Phase::kCounting)
    finish_counting(parts);
  else if (phase_ == Phase::kKeeping)
    finish_keeping(parts);
}

// The ranks of the two middle values, once it is known how many there are.
void MedianSearch::count_ranks(Targets& targets, const std::vector<std::uint32_t>& counts) const {
  const auto* const digits = counts.data() + targets[0].slot * kDigits;
  std::int64_t total = 0;
  for (std::size_t digit = 0; digit < kDigits; ++digit) total += digits[digit];
  if (total == 0) {
    targets[0].slot = kNone;
    return;
  }
  targets[1] = targets[0];
  targets[0].rank = (total - 1) / 2;
  targets[1].rank = total / 2;
}

// Fixes the next digit of a target; returns how many values have it too.
std::int64_t MedianSearch::narrow(Target& target, const std::vector<std::uint32_t>& counts) const {
  const auto* const digits = counts.data() + target.slot * kDigits;
  std::size_t digit = 0;
  for (; target.rank >= digits[digit]; ++digit) target.rank -= digits[digit];
  target.prefix = (target.prefix << kDigitBits) | digit;
  return digits[digit];
}

void MedianSearch::finish_counting(std::vector<Part>& parts) {
  std::vector<std::uint32_t> counts = std::move(parts[0].counts_);
  for (std::size_t part = 1; part < parts.size(); ++part)
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += parts[part].counts_[i];
  std::int64_t agreeing = 0;
  slots_ = 0;
  for (Targets& targets : targets_) {
    if (first_pass_) count_ranks(targets, counts);
    if (targets[0].slot == kNone) continue;
    const std::int64_t lower = narrow(targets[0], counts), upper = narrow(targets[1], counts);
    const bool same = targets[0].prefix == targets[1].prefix;
    agreeing += same ? lower : lower + upper;
    targets[0].slot = slots_++;
    targets[1].slot = same ? targets[0].slot : slots_++;
  }
  first_pass_ = false;
  if (shift_ == 0) {  // every bit is fixed
    for (Targets& targets : targets_)
      for (Target& target : targets) target.value = std::bit_cast<double>(target.prefix);
    phase_ = Phase::kDone;
    return;
  }
  shift_ -= kDigitBits;
  if (agreeing <= most_kept_) phase_ = Phase::kKeeping;
}

void MedianSearch::finish_keeping(std::vector<Part>& parts) {
  for (Targets& targets : targets_) {
    if (targets[0].slot == kNone) continue;
    for (Target& target : targets) {
      std::vector<double> values;
      for (const Part& part : parts) {
        const std::vector<double>& kept = part.kept_[target.slot];
        values.insert(values.end(), kept.begin(), kept.end());
      }
      const auto place = values.begin() + target.rank;
      std::nth_element(values.begin(), place, values.end());
      target.value = *place;
    }
  }
  phase_ = Phase::kDone;
}

std::optional<double> MedianSearch::median(std::size_t gene) const {
  const Targets& targets = targets_[gene];
  if (targets[0].slot == kNone) return {};
  return (targets[0].value + targets[1].value) / 2;
}

}  // namespace lodestone
