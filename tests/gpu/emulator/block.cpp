#include "tests/gpu/emulator/block.h"

#include <algorithm>
#include <cstring>

#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

constexpr int kPoison = 0xff;  // NaN in every format, -1 in every integer

LaneMask lanes_of_warp(std::uint32_t threads, std::uint32_t warp) {
  const std::uint32_t rest = threads - warp * kLanes;
  return rest >= kLanes ? kAllLanes : (LaneMask{1} << rest) - 1;
}

}  // namespace

Block::Block(const Launch& launch, std::uint64_t linear_index)
    : launch_(launch),
      linear_index_(linear_index),
      thread_count_(static_cast<std::uint32_t>(launch.block.count())),
      local_size_(launch.image->local_bytes()) {
  const SharedLayout& layout = launch.image->shared();
  shared_.resize(layout.end() + launch.dynamic_shared_bytes, std::byte{kPoison});
  for (const Extent& object : layout.objects()) shared_objects_.insert(object);
  if (layout.has_dynamic() && launch.dynamic_shared_bytes > 0) {
    dynamic_ = {layout.dynamic_offset(), launch.dynamic_shared_bytes};
    shared_objects_.insert(dynamic_);
  }
  const std::size_t local_bytes = std::size_t{local_size_} * thread_count_;
  local_ = std::make_unique_for_overwrite<std::byte[]>(local_bytes);
  std::memset(local_.get(), kPoison, local_bytes);
  const std::uint32_t warp_count = (thread_count_ + kLanes - 1) / kLanes;
  waits_.resize(warp_count);
  warps_.reserve(warp_count);
  for (std::uint32_t i = 0; i < warp_count; ++i) {
    warps_.emplace_back(*this, i, lanes_of_warp(thread_count_, i));
  }
  asynchronous_ = make_asynchronous_work(*this);
}

Block::~Block() = default;

Dimensions Block::index() const {
  const auto [x, y, z] = launch_.grid;
  return {static_cast<std::uint32_t>(linear_index_ % x),
          static_cast<std::uint32_t>(linear_index_ / x % y),
          static_cast<std::uint32_t>(linear_index_ / x / y)};
}

Dimensions Block::thread_index(std::uint32_t linear_thread) const {
  const auto [x, y, z] = launch_.block;
  return {linear_thread % x, linear_thread / x % y, linear_thread / x / y};
}

// Buffers that the new one overlaps are no longer there: memory is used for something else.
void Block::announce_shared_object(Extent extent) {
  const Extent* known = shared_objects_.at_or_before(extent.begin);
  if (announced_ && known != nullptr && known->begin == extent.begin &&
      known->size == extent.size) {
    return;
  }
  if (!announced_) shared_objects_.erase(dynamic_.begin);
  announced_ = true;
  shared_objects_.erase_overlapping(extent);
  shared_objects_.insert(extent);
}

}  // namespace lodestone::ptx
