#pragma once
#include <cstddef>
#include <memory>

#include "engine/core/stream.h"

namespace lodestone {

// Memory of one device. `allocate` and `free` are ordered with the device's compute stream.
class Allocator {
 public:
  virtual ~Allocator() = default;
  // At least `bytes` (> 0), aligned to 64 bytes, contents undefined. Throws kOutOfMemory.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void free(void* block, std::size_t bytes) noexcept = 0;
};

// The device's allocator: the innermost takes memory from the device, the others wrap it.
Allocator& allocator(Device device);

// While one lives, the device allocates through `wrapper`, which forwards to what it wraps. Memory
// taken within must be given back within. Not thread-safe; scopes nest.
class AllocatorScope {
 public:
  AllocatorScope(Device device, Allocator& wrapper);
  ~AllocatorScope();
  AllocatorScope(const AllocatorScope&) = delete;
  AllocatorScope& operator=(const AllocatorScope&) = delete;

 private:
  Device device_;
  Allocator* previous_;
};

struct MemoryStats {
  std::size_t live_bytes = 0, peak_bytes = 0, live_blocks = 0, allocations = 0;
};

// Counts what passes through.
class CountingAllocator final : public Allocator {
 public:
  explicit CountingAllocator(Allocator& inner) : inner_(inner) {}
  void* allocate(std::size_t bytes) override;
  void free(void* block, std::size_t bytes) noexcept override;
  const MemoryStats& stats() const { return stats_; }
  // The peak is that of what follows.
  void restart_peak() { stats_.peak_bytes = stats_.live_bytes; }

 private:
  Allocator& inner_;
  MemoryStats stats_;
};

// Fills memory with 0xff, NaN in every floating type, when it is handed out and when it comes back:
// a kernel that reads what nobody wrote, or what somebody freed, shows.
class PoisoningAllocator final : public Allocator {
 public:
  explicit PoisoningAllocator(Allocator& inner, Device device = Device::cpu())
      : inner_(inner), device_(device) {}
  void* allocate(std::size_t bytes) override;
  void free(void* block, std::size_t bytes) noexcept override;

 private:
  static constexpr unsigned char kPoison = 0xff;
  Allocator& inner_;
  Device device_;
};

}  // namespace lodestone
