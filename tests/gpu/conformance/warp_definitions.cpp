#include <algorithm>
#include <array>

#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

using Word = std::uint32_t;

struct ShuffleOperands {
  Word a, b, c;
};
struct Answer {
  Word value, predicate;
};

// Where lane `lane` reads, and whether that lies in its segment: c holds the clamp in bits 0-4, the
// mask of the segments in bits 8-12.
enum class Shuffle : std::uint8_t { kUp, kDown, kButterfly, kIndex };

template <Shuffle kKind>
std::vector<Answer> shuffled(const std::vector<ShuffleOperands>& lanes) {
  std::vector<Answer> answers;
  for (int lane = 0; lane < kLanes; ++lane) {
    const ShuffleOperands& own = lanes[static_cast<std::size_t>(lane)];
    const int offset = static_cast<int>(own.b & 31), clamp = static_cast<int>(own.c & 31);
    const int segment = static_cast<int>(own.c >> 8 & 31);
    const int last = (lane & segment) | (clamp & ~segment), first = lane & segment;
    int source = 0;
    switch (kKind) {
      case Shuffle::kUp:
        source = lane - offset;
        break;
      case Shuffle::kDown:
        source = lane + offset;
        break;
      case Shuffle::kButterfly:
        source = lane ^ offset;
        break;
      case Shuffle::kIndex:
        source = first | (offset & ~segment);
        break;
    }
    const bool inside = kKind == Shuffle::kUp ? source >= last : source <= last;
    const int from = inside ? source : lane;
    answers.push_back({lanes[static_cast<std::size_t>(from)].a, inside ? 1u : 0u});
  }
  return answers;
}

// Bit i: whether lane i's value fulfils the condition.
template <class T, class Condition>
Word lanes_that(const std::vector<T>& values, Condition condition) {
  Word mask = 0;
  for (std::size_t i = 0; i < values.size(); ++i) mask |= (condition(values[i]) ? 1u : 0u) << i;
  return mask;
}

std::vector<Word> ballot(const std::vector<Word>& values) {
  const Word mask = lanes_that(values, [](Word value) { return value != 0; });
  return std::vector<Word>(kLanes, mask);
}

std::vector<Word> uniform_vote(const std::vector<Word>& values) {
  const Word mask = ballot(values).front();
  return std::vector<Word>(kLanes, mask == 0 || mask == 0xffffffff ? 1 : 0);
}

std::vector<Word> equal_lanes(const std::vector<Word>& values) {
  std::vector<Word> masks;
  masks.reserve(values.size());
  for (const Word own : values) {
    masks.push_back(lanes_that(values, [own](Word value) { return value == own; }));
  }
  return masks;
}

std::vector<Answer> all_equal(const std::vector<std::uint64_t>& values) {
  const bool equal = std::ranges::count(values, values.front()) == kLanes;
  return std::vector<Answer>(kLanes, equal ? Answer{0xffffffff, 1} : Answer{0, 0});
}

std::vector<int> minimum(const std::vector<int>& values) {
  return std::vector<int>(kLanes, *std::ranges::min_element(values));
}

std::vector<Word> total(const std::vector<Word>& values) {
  Word sum = 0;
  for (const Word value : values) sum += value;
  return std::vector<Word>(kLanes, sum);
}

}  // namespace

std::vector<Definition> warp_definitions() {
  using enum Operand;
  const std::vector<Operand> shuffle{kBits, kCount, kBits};
  return {of_warp("shfl.sync.up.b32", shuffle, &shuffled<Shuffle::kUp>),
          of_warp("shfl.sync.down.b32", shuffle, &shuffled<Shuffle::kDown>),
          of_warp("shfl.sync.bfly.b32", shuffle, &shuffled<Shuffle::kButterfly>),
          of_warp("shfl.sync.idx.b32", shuffle, &shuffled<Shuffle::kIndex>),
          of_warp("vote.sync.ballot.b32", {kVote}, &ballot),
          of_warp("vote.sync.uni.pred", {kVote}, &uniform_vote),
          of_warp("match.any.sync.b32", {kFew}, &equal_lanes),
          of_warp("match.all.sync.b64", {kAlike}, &all_equal),
          of_warp("redux.sync.min.s32", {kWord}, &minimum),
          of_warp("redux.sync.add.u32", {kBits}, &total)};
}

}  // namespace lodestone::gpu_tests
