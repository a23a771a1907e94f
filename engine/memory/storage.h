#pragma once
#include <cstddef>

#include "engine/core/stream.h"
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

 private:
  Allocator& source_;
  void* data_;
  std::size_t bytes_;
  Device device_;
};

}  // namespace lodestone
