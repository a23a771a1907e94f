#pragma once
// Ops that map one element to one element.
#include "engine/core/threads.h"
#include "kernels/cpu/elements.h"

namespace lodestone::kernels {

inline constexpr std::int64_t kMappedElementsPerThread = 16384;

// y = f(x).
template <class T, class F>
void map(const void* x, void* y, std::int64_t count, F f) {
  const T* from = static_cast<const T*>(x);
  T* to = static_cast<T*>(y);
  parallel_for(count, kMappedElementsPerThread, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) store(to[i], f(static_cast<Compute<T>>(from[i])));
  });
}

// dx = dy * derivative(saved).
template <class T, class F>
void map_gradient(const void* dy, const void* saved, const Gradient& dx, std::int64_t count,
                  F derivative) {
  using C = Compute<T>;
  const Target<T> to(dx);
  if (!to) return;
  const T* from = static_cast<const T*>(dy);
  const T* at = static_cast<const T*>(saved);
  parallel_for(count, kMappedElementsPerThread, [=](std::int64_t begin, std::int64_t end) {
    to.put_range(begin, end, [=](std::int64_t i) {
      return static_cast<C>(from[i]) * derivative(static_cast<C>(at[i]));
    });
  });
}

}  // namespace lodestone::kernels
