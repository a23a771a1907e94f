#pragma once
#include <cstddef>
#include <memory>
#include <mutex>

#include "engine/core/device_memory.h"
#include "engine/memory/allocator.h"

namespace lodestone {

// One block of device memory: owned, never copied, given back once to where it came from.
class Storage {
 public:
  Storage(std::size_t bytes, Device device)
      : source_(allocator(device)),
        data_(bytes ? source_.allocate(bytes) : nullptr),
        bytes_(bytes),
        device_(device) {}
  ~Storage() {
    if (data_) source_.free(data_, bytes_);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  // Its copy on another device, made when it is first asked for and kept as long as this block,
  // which must not change afterwards.
  const std::shared_ptr<Storage>& copy_on(Device device) {
    const std::lock_guard lock(mutex_);
    if (!copy_ || copy_->device() != device) {
      copy_ = std::make_shared<Storage>(bytes_, device);
      copy_bytes(copy_->data(), device, data_, device_, bytes_);
    }
    return copy_;
  }

 private:
  Allocator& source_;
  void* data_;
  std::size_t bytes_;
  Device device_;
  std::mutex mutex_;
  std::shared_ptr<Storage> copy_;
};

}  // namespace lodestone
