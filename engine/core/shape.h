#pragma once
#include <fmt/ranges.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "engine/core/check.h"

namespace lodestone {

// Row-major extents, stored inline. Rank is at most kMaxRank; rank 0 has one element.
class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims)
      : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
    check(rank_ <= kMaxRank, "shape: rank {} is above {}", rank_, kMaxRank);
    for (std::size_t i = 0; i < dims.size(); ++i) {
      check(dims[i] >= 0, "shape: extent {} is negative", dims[i]);
      dims_[i] = dims[i];
    }
  }
  int rank() const { return rank_; }
  // Negative axes count from the back.
  std::int64_t operator[](int axis) const {
    const int forward = axis < 0 ? axis + rank_ : axis;
    check(forward >= 0 && forward < rank_, "shape: no axis {} in rank {}", axis, rank_);
    return dims_[static_cast<std::size_t>(forward)];
  }
  std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<std::size_t>(i)];
    return n;
  }
  std::span<const std::int64_t> dims() const {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }
  std::string text() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace lodestone
