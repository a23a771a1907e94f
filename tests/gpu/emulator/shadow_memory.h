#pragma once
// What the race checker remembers of memory: of every two bytes, the last write and two reads.
// Fourteen bytes for each byte that has been touched.
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace lodestone::ptx {

inline constexpr std::uint64_t kGranule = 2;  // bytes
// The time of an access by a copy that is under way: nothing comes after it yet.
inline constexpr std::uint32_t kInFlight = std::numeric_limits<std::uint32_t>::max();

// One access to a granule.
struct AccessRecord {
  static constexpr std::uint32_t kMaximumSites = 1u << 17;
  static constexpr std::uint32_t kMaximumThreads = 1u << 11;

  std::uint32_t time = 0;        // 0: there has been none
  std::uint32_t thread : 11;     // of its block, or an actor
  std::uint32_t bytes : 2;       // which of the granule's
  std::uint32_t is_strong : 1;   // atomic, or of a stronger order than weak
  std::uint32_t is_proxied : 1;  // by the asynchronous proxy
  std::uint32_t site : 17;       // the instruction

  AccessRecord() : thread(0), bytes(0), is_strong(0), is_proxied(0), site(0) {}
};
static_assert(sizeof(AccessRecord) == 8);

struct ShadowCell {
  AccessRecord write;
  std::array<AccessRecord, 2> reads;
  std::uint16_t reads_in_flight = 0;  // by copies and matrix products that are under way
  std::uint8_t written = 0;           // bytes that have been, since the block started
};

// Cells by address. Pages appear when first touched.
class ShadowMemory {
 public:
  ShadowCell& cell(std::uint64_t address) {
    const std::uint64_t page = address / kPageBytes;
    if (page != page_number_) turn_to(page);
    return page_[address % kPageBytes / kGranule];
  }
  // Cells from the address on that lie side by side.
  static std::uint64_t adjacent_bytes(std::uint64_t address) {
    return kPageBytes - address % kPageBytes;
  }
  void clear();

 private:
  static constexpr std::uint64_t kPageBytes = 4096;
  static constexpr std::uint64_t kPagesPerTable = std::uint64_t{1} << 18;  // a gigabyte
  using Page = std::unique_ptr<ShadowCell[]>;
  struct Table {
    std::uint64_t number = 0;
    std::vector<Page> pages;
  };
  void turn_to(std::uint64_t page);

  std::vector<Table> tables_;
  std::uint64_t page_number_ = std::numeric_limits<std::uint64_t>::max();
  ShadowCell* page_ = nullptr;
};

}  // namespace lodestone::ptx
