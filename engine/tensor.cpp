#include "engine/tensor.h"

#include "engine/core/check.h"
#include "engine/memory/storage.h"
#include "kernels/cast.h"
#include "kernels/launch.h"

namespace lodestone {

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor t;
  t.storage_ =
      std::make_shared<Storage>(static_cast<std::size_t>(shape.numel()) * size_of(dtype), device);
  t.shape_ = shape;
  t.dtype_ = dtype;
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.fill_zero();
  return t;
}

Device Tensor::device() const {
  check(defined(), "tensor: an undefined tensor has no device");
  return storage_->device();
}

void* Tensor::data() {
  if (!storage_) return nullptr;
  return static_cast<char*>(storage_->data()) +
         offset_ * static_cast<std::int64_t>(size_of(dtype_));
}

const void* Tensor::data() const {
  return const_cast<Tensor*>(this)->data();
}

void Tensor::check_host(DType dtype) const {
  check(defined() && device().is_cpu() && dtype_ == dtype,
        "tensor: host<{}>() of a tensor of {} on {}", name_of(dtype), name_of(dtype_),
        defined() ? device().text() : "no device");
}

Tensor Tensor::view(const Shape& shape) const {
  check(shape.numel() == numel(), "tensor: {} cannot be viewed as {}", shape_.text(), shape.text());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  check(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0],
        "tensor: rows {}..{} of {}", begin, end, shape_.text());
  std::vector<std::int64_t> dims(shape_.dims().begin(), shape_.dims().end());
  dims[0] = end - begin;
  const std::int64_t row = shape_[0] ? numel() / shape_[0] : 0;
  return slice(begin * row, Shape(dims));
}

Tensor Tensor::slice(std::int64_t begin, const Shape& shape) const {
  check(0 <= begin && begin + shape.numel() <= numel(), "tensor: {} elements from {} of {}",
        shape.numel(), begin, numel());
  Tensor t = *this;
  t.offset_ += begin;
  t.shape_ = shape;
  return t;
}

void Tensor::fill_zero() {
  fill_bytes(data(), device(), 0, bytes());
}

void Tensor::copy_from(const Tensor& source) {
  check(source.numel() == numel() && source.dtype() == dtype_,
        "tensor: cannot copy {} {} into {} {}", name_of(source.dtype()), source.shape().text(),
        name_of(dtype_), shape_.text());
  copy_bytes(data(), device(), source.data(), source.device(), bytes());
}

Tensor Tensor::clone() const {
  Tensor t = empty_like(*this);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::cast(DType dtype) const {
  for (const DType type : {dtype_, dtype})
    check(is_floating(type), "cast: {} is not a floating type", name_of(type));
  Tensor t = empty(shape_, dtype, device());
  kernels::launch(kernels::CastArgs{.from = data(),
                                    .to = t.data(),
                                    .count = numel(),
                                    .from_dtype = dtype_,
                                    .to_dtype = dtype},
                  device());
  return t;
}

Tensor Tensor::to(Device device) const {
  if (this->device() == device) return *this;
  Tensor t = empty(shape_, dtype_, device);
  t.copy_from(*this);
  return t;
}

const void* Tensor::data_on(DType dtype, Device device) const {
  check(defined() && dtype_ == dtype, "tensor: data_on<{}>() of a tensor of {}", name_of(dtype),
        name_of(dtype_));
  return on(device).data();
}

Tensor Tensor::on(Device device) const {
  if (this->device() == device) return *this;
  Tensor t = *this;
  t.storage_ = storage_->copy_on(device);
  return t;
}

}  // namespace lodestone
