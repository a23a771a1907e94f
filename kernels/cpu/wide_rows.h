#pragma once
// Rows in the type arithmetic is done in. A kernel that passes over a row more than once, or over
// one vector for every row, converts it once.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>

#include "kernels/cpu/elements.h"

namespace lodestone::kernels {

// n elements that begin a cache line: vectors loaded from and stored to them never straddle two.
template <class C>
class RowBuffer {
 public:
  explicit RowBuffer(std::int64_t n)
      : elements_(static_cast<C*>(::operator new(static_cast<std::size_t>(n) * sizeof(C), kLine))) {
  }
  C* data() const { return elements_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Delete {
    void operator()(C* elements) const { ::operator delete(elements, kLine); }
  };
  std::unique_ptr<C[], Delete> elements_;
};

// Rows of n elements as Compute<T>, one at a time: the row itself where that is what it is, else a
// copy, good until the next.
template <class T>
class WideRow {
  using C = Compute<T>;

 public:
  explicit WideRow(std::int64_t n) : n_(n), copy_(std::is_same_v<T, C> ? 0 : n) {}
  const C* operator()(const T* x) const {
    if constexpr (std::is_same_v<T, C>) {
      return x;
    } else {
      C* const copy = copy_.data();
#pragma omp simd
      for (std::int64_t i = 0; i < n_; ++i) copy[i] = static_cast<C>(x[i]);
      return copy;
    }
  }

 private:
  std::int64_t n_;
  RowBuffer<C> copy_;
};

// f(i) over [0, n) taken together by `join`, whose neutral element is `none`, in as many lanes as
// keep the adders busy: a single one would wait for itself. The order depends on n alone.
template <class C, class F, class Join>
C reduce_in_lanes(std::int64_t n, C none, F f, Join join) {
  constexpr std::int64_t kLanes = 256 / sizeof(C);
  alignas(64) C lanes[kLanes];
  std::fill_n(lanes, kLanes, none);
  const std::int64_t whole = n / kLanes * kLanes;
  for (std::int64_t begin = 0; begin < whole; begin += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = join(lanes[lane], f(begin + lane));
  }
  for (std::int64_t i = whole; i < n; ++i) lanes[i - whole] = join(lanes[i - whole], f(i));
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < half; ++lane)
      lanes[lane] = join(lanes[lane], lanes[lane + half]);
  }
  return lanes[0];
}

template <class C, class F>
C sum_in_lanes(std::int64_t n, F f) {
  return reduce_in_lanes(n, C{0}, f, [](C a, C b) { return a + b; });
}

// NaN counts as the least number.
template <class C, class F>
C max_in_lanes(std::int64_t n, F f) {
  return reduce_in_lanes(n, -std::numeric_limits<C>::infinity(), f,
                         [](C a, C b) { return b > a ? b : a; });
}

}  // namespace lodestone::kernels
