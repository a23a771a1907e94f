#include "engine/tensor.h"

#include <cstring>

#include "engine/memory/storage.h"

namespace lodestone {

namespace {

template <class From, class To>
void convert(const Tensor& source, Tensor& target) {
  const auto from = source.host<From>();
  const auto to = target.host<To>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if constexpr (std::is_same_v<To, BFloat16>)
      to[i] = BFloat16(static_cast<float>(from[i]));
    else
      to[i] = static_cast<To>(from[i]);
  }
}

template <class From>
void convert_from(const Tensor& source, Tensor& target) {
  switch (target.dtype()) {
    case DType::kF32:
      return convert<From, float>(source, target);
    case DType::kF64:
      return convert<From, double>(source, target);
    case DType::kBf16:
      return convert<From, BFloat16>(source, target);
    default:
      fail(ErrorKind::kInvalidArgument, "cast: {} is not a floating type", name_of(target.dtype()));
  }
}

}  // namespace

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
  check(device().is_cpu(), "tensor: fill_zero on {}", device().text());
  if (bytes()) std::memset(data(), 0, bytes());
}

void Tensor::copy_from(const Tensor& source) {
  check(source.numel() == numel() && source.dtype() == dtype_,
        "tensor: cannot copy {} {} into {} {}", name_of(source.dtype()), source.shape().text(),
        name_of(dtype_), shape_.text());
  check(device().is_cpu() && source.device().is_cpu(), "tensor: copy_from is for CPU tensors");
  if (bytes()) std::memcpy(data(), source.data(), bytes());
}

Tensor Tensor::clone() const {
  Tensor t = empty_like(*this);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::cast(DType dtype) const {
  Tensor t = empty(shape_, dtype, device());
  switch (dtype_) {
    case DType::kF32:
      convert_from<float>(*this, t);
      break;
    case DType::kF64:
      convert_from<double>(*this, t);
      break;
    case DType::kBf16:
      convert_from<BFloat16>(*this, t);
      break;
    default:
      fail(ErrorKind::kInvalidArgument, "cast: {} is not a floating type", name_of(dtype_));
  }
  return t;
}

}  // namespace lodestone
