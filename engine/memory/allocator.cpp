#include "engine/memory/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "engine/core/check.h"
#include "engine/core/device_memory.h"
#include "engine/memory/cuda_allocator.h"

namespace lodestone {

namespace {

class CpuAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override {
    constexpr std::size_t kLine = 64, kHugePage = 2 << 20;
    // Large blocks lie on huge pages where the system has them: fewer page faults and TLB misses.
    const bool large = bytes >= 2 * kHugePage;
    const std::size_t alignment = large ? kHugePage : kLine;
    const std::size_t whole = (bytes + kLine - 1) / kLine * kLine;
    void* block = nullptr;
    if (posix_memalign(&block, alignment, whole) != 0)
      fail(ErrorKind::kOutOfMemory, "cpu: {} bytes are not to be had", bytes);
    if (large) madvise(block, whole / kHugePage * kHugePage, MADV_HUGEPAGE);  // only a hint
    return block;
  }
  void free(void* block, std::size_t) noexcept override { std::free(block); }
};

Allocator*& current(Device device) {
  static CpuAllocator cpu;
  static Allocator* cpu_top = &cpu;
  static std::map<int, Allocator*> cuda_tops;
  if (device.is_cpu()) return cpu_top;
  Allocator*& top = cuda_tops[device.index];
  if (!top) top = &cuda_allocator(device);
  return top;
}

}  // namespace

Allocator& allocator(Device device) {
  return *current(device);
}

AllocatorScope::AllocatorScope(Device device, Allocator& wrapper)
    : device_(device), previous_(current(device)) {
  current(device_) = &wrapper;
}

AllocatorScope::~AllocatorScope() {
  current(device_) = previous_;
}

void* CountingAllocator::allocate(std::size_t bytes) {
  void* block = inner_.allocate(bytes);
  stats_.live_bytes += bytes;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  ++stats_.live_blocks;
  ++stats_.allocations;
  return block;
}

void CountingAllocator::free(void* block, std::size_t bytes) noexcept {
  stats_.live_bytes -= bytes;
  --stats_.live_blocks;
  inner_.free(block, bytes);
}

void* PoisoningAllocator::allocate(std::size_t bytes) {
  void* block = inner_.allocate(bytes);
  fill_bytes(block, device_, kPoison, bytes);
  return block;
}

void PoisoningAllocator::free(void* block, std::size_t bytes) noexcept {
  fill_bytes(block, device_, kPoison, bytes);
  inner_.free(block, bytes);
}

}  // namespace lodestone
