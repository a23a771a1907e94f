// Extents of memory objects, and the allocations of global memory.
#include <sys/mman.h>

#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/memory.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint64_t kDeviceBytes = std::uint64_t{16} << 30;  // of addresses; used pages cost
constexpr std::uint64_t kAlignment = 256;
constexpr std::uint64_t kGap = 256;  // between allocations: an overrun meets nobody

std::uint64_t place_bytes(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment + kGap;
}

}  // namespace

void ExtentSet::insert(Extent extent) {
  extents_[extent.begin] = extent;
}

bool ExtentSet::erase(std::uint64_t begin) {
  recent_.fill({});
  return extents_.erase(begin) != 0;
}

void ExtentSet::erase_overlapping(Extent extent) {
  recent_.fill({});
  std::erase_if(extents_, [&](const auto& entry) {
    const Extent& known = entry.second;
    return known.begin < extent.end() && extent.begin < known.end();
  });
}

void ExtentSet::clear() {
  recent_.fill({});
  extents_.clear();
}

const Extent* ExtentSet::at_or_before(std::uint64_t address) const {
  auto after = extents_.upper_bound(address);
  return after == extents_.begin() ? nullptr : &std::prev(after)->second;
}

const Extent* ExtentSet::find(std::uint64_t address, std::uint64_t bytes) const {
  for (const Extent& extent : recent_) {
    if (extent.contains(address, bytes) && extent.size != 0) return &extent;
  }
  const Extent* found = at_or_before(address);
  if (found == nullptr || !found->contains(address, bytes)) return nullptr;
  Extent& place = recent_[next_recent_++ % recent_.size()];
  place = *found;
  return &place;
}

GlobalMemory::GlobalMemory() {
  void* region = mmap(nullptr, kDeviceBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) {
    fail(ErrorKind::kOutOfMemory, "the instrument cannot reserve {} bytes of addresses",
         kDeviceBytes);
  }
  region_ = static_cast<std::byte*>(region);
}

GlobalMemory::~GlobalMemory() {
  munmap(region_, kDeviceBytes);
}

std::uint64_t GlobalMemory::total_bytes() const {
  return kDeviceBytes;
}

// A place that was freed serves again only for the same size: a stale pointer finds nothing there
// for as long as possible.
std::byte* GlobalMemory::allocate(std::uint64_t bytes) {
  if (bytes > kDeviceBytes) return nullptr;
  const std::uint64_t place = place_bytes(bytes);
  std::uint64_t offset = next_;
  if (next_ + place <= kDeviceBytes) {
    next_ += place;
  } else {
    const auto freed = free_.find(place);
    if (freed == free_.end()) return nullptr;
    offset = freed->second;
    free_.erase(freed);
  }
  std::byte* address = region_ + offset;
  std::memset(address, 0xff, bytes);
  extents_.insert({reinterpret_cast<std::uint64_t>(address), bytes});
  used_ += bytes;
  return address;
}

bool GlobalMemory::free(const void* address) {
  const auto begin = reinterpret_cast<std::uint64_t>(address);
  const Extent* extent = extents_.at_or_before(begin);
  if (extent == nullptr || extent->begin != begin) return false;
  const std::uint64_t bytes = extent->size;
  extents_.erase(begin);
  used_ -= bytes;
  const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - region_);
  free_.emplace(place_bytes(bytes), offset);
  // The pages go back to the host: a program that allocates for hours stays small.
  constexpr std::uint64_t kPage = 4096;
  const std::uint64_t first = (offset + kPage - 1) / kPage * kPage;
  const std::uint64_t last = (offset + bytes) / kPage * kPage;
  if (last > first) madvise(region_ + first, last - first, MADV_DONTNEED);
  return true;
}

bool GlobalMemory::in_region(const void* address) const {
  const auto at = reinterpret_cast<std::uint64_t>(address);
  const auto begin = reinterpret_cast<std::uint64_t>(region_);
  return at >= begin && at < begin + kDeviceBytes;
}

}  // namespace lodestone::ptx
