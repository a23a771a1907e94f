#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/core/dtype.h"
#include "engine/core/shape.h"
#include "engine/core/stream.h"

namespace lodestone {

class Storage;

// A contiguous, row-major block of numbers on one device. Copying a Tensor shares its memory.
class Tensor {
 public:
  Tensor() = default;
  // Contents undefined.
  static Tensor empty(const Shape& shape, DType dtype, Device device);
  static Tensor zeros(const Shape& shape, DType dtype, Device device);
  // A CPU tensor [values.size()] with these elements.
  template <class T>
  static Tensor from(std::span<const T> values) {
    Tensor t = empty({static_cast<std::int64_t>(values.size())}, kDTypeOf<T>, Device::cpu());
    std::copy(values.begin(), values.end(), t.host<T>().begin());
    return t;
  }
  template <class T>
  static Tensor from(const std::vector<T>& values) {
    return from(std::span<const T>(values));
  }
  static Tensor empty_like(const Tensor& other) {
    return empty(other.shape(), other.dtype(), other.device());
  }

  bool defined() const { return storage_ != nullptr; }
  // Whether no other Tensor shares its memory.
  bool unique() const { return storage_.use_count() == 1; }
  const Shape& shape() const { return shape_; }
  std::int64_t numel() const { return shape_.numel(); }
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const;
  void* data();
  const void* data() const;
  // The elements of a CPU tensor of element type T.
  template <class T>
  std::span<T> host() {
    check_host(kDTypeOf<T>);
    return {static_cast<T*>(data()), static_cast<std::size_t>(numel())};
  }
  template <class T>
  std::span<const T> host() const {
    check_host(kDTypeOf<T>);
    return {static_cast<const T*>(data()), static_cast<std::size_t>(numel())};
  }

  // The same elements with new extents; numel must stay.
  Tensor view(const Shape& shape) const;
  // Rows [begin, end) of the first axis, sharing memory.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  // `shape.numel()` elements from `begin` on, sharing memory.
  Tensor slice(std::int64_t begin, const Shape& shape) const;

  void fill_zero();
  // Copies all elements from a tensor of the same numel and dtype, of the same device or the CPU.
  void copy_from(const Tensor& source);
  Tensor clone() const;
  // A copy with another floating dtype (f32, bf16; on the CPU f64 too).
  Tensor cast(DType dtype) const;
  // The same elements on that device: this tensor if it lies there, a copy otherwise.
  Tensor to(Device device) const;
  // The same, but the copy is made once and kept with this tensor's memory, whose contents must not
  // change afterwards: for the index arrays of a batch, which the host checks and kernels read.
  Tensor on(Device device) const;
  // The elements of that copy.
  template <class T>
  const T* data_on(Device device) const {
    return static_cast<const T*>(data_on(kDTypeOf<T>, device));
  }

 private:
  void check_host(DType dtype) const;
  const void* data_on(DType dtype, Device device) const;
  std::shared_ptr<Storage> storage_;
  std::int64_t offset_ = 0;  // in elements
  Shape shape_;
  DType dtype_ = DType::kF32;
};

}  // namespace lodestone
