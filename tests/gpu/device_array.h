#pragma once
// Arrays of the device, for tests: filled from the host and read back.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "engine/core/cuda.h"

namespace lodestone::testing {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : size_(values.size()) {
    cuda_check(cudaMalloc(&data_, bytes()));
    cuda_check(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
  }
  DeviceArray(std::int64_t size, T value)
      : DeviceArray(std::vector<T>(static_cast<std::size_t>(size), value)) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return static_cast<T*>(data_); }
  // Waits for all work of the device.
  std::vector<T> host() const {
    std::vector<T> values(size_);
    cuda_check(cudaDeviceSynchronize());
    cuda_check(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  std::size_t bytes() const { return size_ * sizeof(T); }
  std::size_t size_;
  void* data_ = nullptr;
};

}  // namespace lodestone::testing
