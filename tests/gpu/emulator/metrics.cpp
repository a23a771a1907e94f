#include "tests/gpu/emulator/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "engine/core/log.h"
#include "tests/gpu/emulator/demangle.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {
namespace {

constexpr std::uint64_t kWord = 4;
constexpr std::uint64_t kSector = 32;

// Lanes that one wavefront can serve.
std::uint32_t lanes_together(std::uint32_t bytes) {
  return bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
}

LaneMask lane_range(std::uint32_t first, std::uint32_t count) {
  return count == kLanes ? kAllLanes : ((LaneMask{1} << count) - 1) << first;
}

bool contiguous(const LaneAddresses& addresses, LaneMask mask, std::uint32_t bytes) {
  if (mask != kAllLanes || addresses[0] % std::max(bytes, 4u) != 0) return false;
  std::uint64_t difference = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    difference |= addresses[lane] ^ (addresses[0] + lane * bytes);
  return difference == 0;
}

// Distinct words, and how many of them lie in each bank.
class BankLoad {
 public:
  void add(std::uint64_t word) {
    const std::size_t bank = word % 32;
    const auto begin = words_[bank].begin();
    const auto end = begin + count_[bank];
    if (std::find(begin, end, word) != end) return;
    words_[bank][static_cast<std::size_t>(count_[bank]++)] = word;
    largest_ = std::max(largest_, count_[bank]);
  }
  int largest() const { return largest_; }

 private:
  std::array<std::array<std::uint64_t, kLanes>, kLanes> words_;
  std::array<int, kLanes> count_{};
  int largest_ = 0;
};

template <class Self, class Visitor>
void visit_counters(Self& metrics, Visitor&& visit) {
  visit("warp instructions", metrics.warp_instructions);
  visit("thread instructions", metrics.thread_instructions);
  visit("shared requests", metrics.shared_requests);
  visit("shared wavefronts", metrics.shared_wavefronts);
  visit("shared conflicts", metrics.shared_conflicts);
  visit("global requests", metrics.global_requests);
  visit("global sectors", metrics.global_sectors);
  visit("asynchronous bytes", metrics.asynchronous_bytes);
}

}  // namespace

int ideal_wavefronts(LaneMask mask, std::uint32_t bytes) {
  int groups = 0;
  const std::uint32_t together = lanes_together(bytes);
  for (std::uint32_t first = 0; first < kLanes; first += together)
    groups += (mask & lane_range(first, together)) != 0;
  return groups;
}

int shared_wavefronts(const LaneAddresses& addresses, LaneMask mask, std::uint32_t bytes) {
  if (contiguous(addresses, mask, bytes)) return ideal_wavefronts(mask, bytes);
  int wavefronts = 0;
  const std::uint32_t together = lanes_together(bytes);
  for (std::uint32_t first = 0; first < kLanes; first += together) {
    BankLoad load;
    for (std::uint32_t lane = first; lane < first + together; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      const std::uint64_t last = addresses[lane] + bytes - 1;
      for (std::uint64_t word = addresses[lane] / kWord; word <= last / kWord; ++word)
        load.add(word);
    }
    wavefronts += load.largest();
  }
  return wavefronts;
}

int global_sectors(const LaneAddresses& addresses, LaneMask mask, std::uint32_t bytes) {
  if (contiguous(addresses, mask, bytes))
    return static_cast<int>((addresses[0] % kSector + std::uint64_t{kLanes} * bytes + kSector - 1) /
                            kSector);
  std::array<std::uint64_t, std::size_t{kLanes} * 2>
      sectors;  // an access of up to 32 bytes touches at most two
  std::size_t count = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    sectors[count++] = addresses[lane] / kSector;
    sectors[count++] = (addresses[lane] + bytes - 1) / kSector;
  }
  const auto end = sectors.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(sectors.begin(), end);
  return static_cast<int>(std::unique(sectors.begin(), end) - sectors.begin());
}

Metrics& Metrics::operator+=(const Metrics& other) {
  std::array<const std::uint64_t*, 16> values{};
  std::size_t index = 0;
  visit_counters(other, [&](const char*, const std::uint64_t& value) { values[index++] = &value; });
  index = 0;
  visit_counters(*this, [&](const char*, std::uint64_t& value) { value += *values[index++]; });
  return *this;
}

std::string Metrics::describe() const {
  std::string text;
  visit_counters(*this, [&](const char* name, const std::uint64_t& value) {
    if (value != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  });
  return text;
}

std::map<std::string, Metrics>& kernel_metrics() {
  static std::map<std::string, Metrics> metrics;
  return metrics;
}

void MetricsCounter::begin_launch(const Launch& /*launch*/) {
  metrics_ = Metrics();
}

void MetricsCounter::end_launch(const Launch& launch) {
  kernel_metrics()[launch.name()] += metrics_;
  if (launch.options.print_metrics)
    log::info("{}: {}", demangled(launch.name()), metrics_.describe());
}

void MetricsCounter::end_block(Block& block) {
  for (const Warp& warp : block.warps()) {
    metrics_.warp_instructions += warp.instructions();
    metrics_.thread_instructions += warp.lane_instructions();
  }
}

void MetricsCounter::access(const WarpAccess& access) {
  if (access.kind == AccessKind::kAsyncRead) return;
  if (access.kind == AccessKind::kAsyncWrite) {
    metrics_.asynchronous_bytes +=
        std::uint64_t{access.bytes} * static_cast<std::uint64_t>(std::popcount(access.lanes));
    return;
  }
  if (access.space == AddressSpace::kShared) {
    const int wavefronts = shared_wavefronts(access.addresses, access.lanes, access.bytes);
    ++metrics_.shared_requests;
    metrics_.shared_wavefronts += static_cast<std::uint64_t>(wavefronts);
    metrics_.shared_conflicts +=
        static_cast<std::uint64_t>(wavefronts - ideal_wavefronts(access.lanes, access.bytes));
  } else if (access.space == AddressSpace::kGlobal) {
    ++metrics_.global_requests;
    metrics_.global_sectors +=
        static_cast<std::uint64_t>(global_sectors(access.addresses, access.lanes, access.bytes));
  }
}

}  // namespace lodestone::ptx
