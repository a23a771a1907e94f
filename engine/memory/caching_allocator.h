#pragma once
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/memory/allocator.h"

namespace lodestone {

// Keeps the blocks that come back and hands them out again, so that a training step, whose tensors
// have about the sizes of the step before, takes no memory from the device. Sizes are rounded up to
// one of eight classes per power of two (at most 1/8 more), and a request is served by the smallest
// kept block that is large enough, unless it is more than twice as large. When the device has no
// memory left, all kept blocks are given back and the request is tried once more. Thread-safe.
class CachingAllocator final : public Allocator {
 public:
  explicit CachingAllocator(Allocator& inner) : inner_(inner) {}
  ~CachingAllocator() override { release(); }
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  void* allocate(std::size_t bytes) override;
  void free(void* block, std::size_t bytes) noexcept override;
  // Gives the kept blocks back to the inner allocator.
  void release() noexcept;
  // Bytes of kept blocks, not handed out.
  std::size_t kept_bytes() const;

 private:
  void* take_kept(std::size_t size);
  void* take_new(std::size_t size);
  void release_locked() noexcept;

  Allocator& inner_;
  mutable std::mutex mutex_;
  struct Class {
    std::vector<void*> kept;
    std::size_t blocks = 0;  // kept or handed out; `kept` has room for all of them
  };
  std::map<std::size_t, Class> classes_;          // by size
  std::unordered_map<void*, std::size_t> sizes_;  // of every block taken from the inner allocator
  std::size_t kept_bytes_ = 0;
};

}  // namespace lodestone
