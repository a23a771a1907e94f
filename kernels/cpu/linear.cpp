#include "kernels/linear.h"

#include <algorithm>
#include <array>
#include <numbers>

#include "engine/core/threads.h"
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elements.h"
#include "kernels/cpu/matrix_product.h"

// Three products and, around them, one pass over [rows, out] for GELU (and one for its derivative)
// and one for the bias gradient. That one is cut by columns, so it does not depend on the threads.
namespace lodestone::kernels {

namespace {

constexpr std::int64_t kElementsPerThread = 16384;

template <class C>
C normal_cdf(C x) {
  return C{0.5} * (1 + error_function(x * (1 / std::numbers::sqrt2_v<C>)));
}

template <class C>
C gelu_derivative(C x) {
  constexpr C kDensityAtZero = std::numbers::inv_sqrtpi_v<C> / std::numbers::sqrt2_v<C>;
  return normal_cdf(x) + x * kDensityAtZero * exponential(C{-0.5} * x * x);
}

template <class T>
void gelu_forward(const T* x, T* y, std::int64_t count) {
  using C = Compute<T>;
  parallel_for(count, kElementsPerThread, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const C value = static_cast<C>(x[i]);
      store(y[i], value * normal_cdf(value));
    }
  });
}

template <class T>
void gelu_backward(const T* dy, const T* x, T* dx, std::int64_t count) {
  using C = Compute<T>;
  parallel_for(count, kElementsPerThread, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i)
      store(dx[i], static_cast<C>(dy[i]) * gelu_derivative(static_cast<C>(x[i])));
  });
}

// Sums of at most kStrip columns of x[rows, cols], beginning at `first`. Sums of 64 rows are
// summed: the error grows with rows / 64 and not with rows.
constexpr std::int64_t kStrip = 256;
template <class T>
void sum_strip(const T* x, const Target<Compute<T>>& sums, std::int64_t rows, std::int64_t cols,
               std::int64_t first) {
  using C = Compute<T>;
  const std::int64_t width = std::min(kStrip, cols - first);
  std::array<C, kStrip> total{}, part;
  for (std::int64_t begin = 0; begin < rows; begin += 64) {
    part.fill(0);
    for (std::int64_t r = begin; r < std::min(rows, begin + 64); ++r) {
      const T* row = x + r * cols + first;
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c)
        part[static_cast<std::size_t>(c)] += static_cast<C>(row[c]);
    }
#pragma omp simd
    for (std::size_t c = 0; c < kStrip; ++c) total[c] += part[c];
  }
  for (std::int64_t c = 0; c < width; ++c) sums.put(first + c, total[static_cast<std::size_t>(c)]);
}

template <class T>
void sum_columns(const void* x, const Gradient& gradient, std::int64_t rows, std::int64_t cols) {
  const Target<Compute<T>> sums(gradient);
  if (!sums) return;
  parallel_for((cols + kStrip - 1) / kStrip, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t strip = begin; strip < end; ++strip)
      sum_strip(static_cast<const T*>(x), sums, rows, cols, strip * kStrip);
  });
}

}  // namespace

void run(const LinearForwardArgs& a, CpuStream&) {
  matrix_product({.a = a.x,
                  .b = a.weight,
                  .bias = a.bias,
                  .c = a.gelu ? a.pre_activation : a.y,
                  .m = a.rows,
                  .n = a.out,
                  .k = a.in,
                  .transpose_b = true,
                  .dtype = a.dtype,
                  .result = a.dtype});
  if (!a.gelu) return;
  visit_floating_cpu(a.dtype, [&]<class T>() {
    gelu_forward(static_cast<const T*>(a.pre_activation), static_cast<T*>(a.y), a.rows * a.out);
  });
}

void run(const LinearBackwardArgs& a, CpuStream&) {
  const void* dproduct = a.gelu ? a.dpre_activation : a.dy;
  visit_floating_cpu(a.dtype, [&]<class T>() {
    if (a.gelu)
      gelu_backward(static_cast<const T*>(a.dy), static_cast<const T*>(a.pre_activation),
                    static_cast<T*>(a.dpre_activation), a.rows * a.out);
    sum_columns<T>(dproduct, a.dbias, a.rows, a.out);
  });
  if (a.dx.data)
    matrix_product({.a = dproduct,
                    .b = a.weight,
                    .c = a.dx.data,
                    .m = a.rows,
                    .n = a.in,
                    .k = a.out,
                    .accumulate = a.dx.accumulate,
                    .dtype = a.dtype,
                    .result = a.dtype});
  if (a.dweight.data)
    matrix_product({.a = dproduct,
                    .b = a.x,
                    .c = a.dweight.data,
                    .m = a.out,
                    .n = a.in,
                    .k = a.rows,
                    .transpose_a = true,
                    .accumulate = a.dweight.accumulate,
                    .dtype = a.dtype,
                    .result = accumulation_type(a.dtype)});
}

}  // namespace lodestone::kernels
