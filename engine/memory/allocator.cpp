#include "engine/memory/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/core/check.h"

namespace lodestone {

namespace {

constexpr std::size_t kAlignment = 64;

class CpuAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override {
    void* block =
        std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!block) fail(ErrorKind::kOutOfMemory, "cpu: {} bytes are not to be had", bytes);
    return block;
  }
  void free(void* block, std::size_t) noexcept override { std::free(block); }
};

Allocator*& current(Device device) {
  static CpuAllocator cpu;
  static Allocator* cpu_top = &cpu;
  check(device.is_cpu(), "allocator: {} has no memory in this version", device.text());
  return cpu_top;
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
  return std::memset(inner_.allocate(bytes), 0xff, bytes);
}

void PoisoningAllocator::free(void* block, std::size_t bytes) noexcept {
  std::memset(block, 0xff, bytes);
  inner_.free(block, bytes);
}

}  // namespace lodestone
