#include "engine/memory/caching_allocator.h"

#include <algorithm>
#include <bit>

#include "engine/core/error.h"

namespace lodestone {

namespace {

// The class of a request: a multiple of 1/8 of the power of two below it, at least 64 bytes.
std::size_t class_of(std::size_t bytes) {
  constexpr std::size_t kSmallest = 64;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

}  // namespace

void* CachingAllocator::allocate(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t size = class_of(bytes);
  void* const kept = take_kept(size);
  return kept ? kept : take_new(size);
}

void* CachingAllocator::take_kept(std::size_t size) {
  for (auto at = classes_.lower_bound(size); at != classes_.end() && at->first <= 2 * size; ++at) {
    std::vector<void*>& kept = at->second.kept;
    if (kept.empty()) continue;
    void* const block = kept.back();
    kept.pop_back();
    kept_bytes_ -= at->first;
    return block;
  }
  return nullptr;
}

void* CachingAllocator::take_new(std::size_t size) {
  void* block = nullptr;
  try {
    block = inner_.allocate(size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kOutOfMemory || kept_bytes_ == 0) throw;
    release_locked();
    block = inner_.allocate(size);
  }
  // Room for the block's return is made now: `free` must not throw.
  sizes_[block] = size;
  Class& of_size = classes_[size];
  of_size.kept.reserve(++of_size.blocks);
  return block;
}

void CachingAllocator::free(void* block, std::size_t) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t size = sizes_.find(block)->second;
  classes_.find(size)->second.kept.push_back(block);
  kept_bytes_ += size;
}

void CachingAllocator::release() noexcept {
  const std::lock_guard lock(mutex_);
  release_locked();
}

void CachingAllocator::release_locked() noexcept {
  for (auto& [size, of_size] : classes_) {
    for (void* block : of_size.kept) {
      sizes_.erase(block);
      inner_.free(block, size);
    }
    of_size.blocks -= of_size.kept.size();
    of_size.kept.clear();
  }
  kept_bytes_ = 0;
}

std::size_t CachingAllocator::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_bytes_;
}

}  // namespace lodestone
