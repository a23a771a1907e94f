#pragma once
// How elements meet memory: arithmetic in Compute<T>, storage in T.
#include <type_traits>

#include "kernels/gradient.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

// to = value, rounded to T. As an assignment of bits, because the compiler does not vectorise one
// of class objects.
template <class T>
void store(T& to, Compute<T> value) {
  if constexpr (std::is_same_v<T, BFloat16>)
    to.bits = BFloat16(value).bits;
  else
    to = value;
}

// A gradient's elements as T.
template <class T>
struct Target {
  explicit Target(const Gradient& gradient)
      : data(static_cast<T*>(gradient.data)), accumulate(gradient.accumulate) {}
  explicit operator bool() const { return data != nullptr; }
  // Adds to element i, or sets it without heed of what is there.
  void put(std::int64_t i, Compute<T> value) const {
    const Compute<T> before = accumulate ? static_cast<Compute<T>>(data[i]) : Compute<T>{0};
    store(data[i], before + value);
  }
  // The same for i in [begin, end) with value(i): two loops, because the compiler does not always
  // make them of one with a branch, and then does not vectorise it.
  template <class F>
  void put_range(std::int64_t begin, std::int64_t end, const F& value) const {
    if (accumulate)
      add_range(begin, end, value);
    else
      set_range(begin, end, value);
  }

  T* data;
  bool accumulate;

 private:
  template <class F>
  void add_range(std::int64_t begin, std::int64_t end, const F& value) const {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i)
      store(data[i], static_cast<Compute<T>>(data[i]) + value(i));
  }
  template <class F>
  void set_range(std::int64_t begin, std::int64_t end, const F& value) const {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) store(data[i], value(i));
  }
};

}  // namespace lodestone::kernels
