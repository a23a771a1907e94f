#include "kernels/linear.h"

#include "kernels/cpu/column_ranges.h"
#include "kernels/cpu/elements.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/gelu.h"
#include "kernels/cpu/matrix_product.h"
#include "kernels/cpu/row_sums.h"

// Three products and, around them, one pass over [rows, out] each way: forward for the activation,
// backward for its derivative and the bias gradient at once.
namespace lodestone::kernels {

namespace {

// Calls f(value, derivative) with the functions of an activation.
template <class C, class F>
void with_functions(Activation activation, const F& f) {
  if (activation == Activation::kGelu)
    f([](C x) { return gelu(x); }, [](C x) { return gelu_derivative(x); });
  else
    f([](C x) { return gelu_tanh(x); }, [](C x) { return gelu_tanh_derivative(x); });
}

template <class T>
void apply_activation(const LinearForwardArgs& a) {
  with_functions<Compute<T>>(a.activation, [&](auto value, auto) {
    map<T>(a.pre_activation, a.y, a.rows * a.out, value);
  });
}

// dbias = sum over rows of what row(r, sums) adds.
template <class C, class Row>
void sum_bias_gradient(const LinearBackwardArgs& a, const Row& row) {
  C* const sums = static_cast<C*>(a.parts);
  sum_over_rows(
      a.rows, a.out, sums, [] { return 0; },
      [&](int, std::int64_t r, C* part) { row(r * a.out, part); });
  const Target<C> dbias(a.dbias);
  if (dbias) dbias.put_range(0, a.out, [=](std::int64_t c) { return sums[c]; });
}

template <class T>
void bias_gradient(const LinearBackwardArgs& a) {
  using C = Compute<T>;
  sum_bias_gradient<C>(a, [&](std::int64_t first, C* sums) {
    const T* dy = static_cast<const T*>(a.dy) + first;
#pragma omp simd
    for (std::int64_t c = 0; c < a.out; ++c) sums[c] += static_cast<C>(dy[c]);
  });
}

// dpre_activation = dy * activation'(pre_activation), and the bias gradient: its sums.
template <class T>
void activation_and_bias_gradient(const LinearBackwardArgs& a) {
  using C = Compute<T>;
  with_functions<C>(a.activation, [&](auto, auto derivative) {
    sum_bias_gradient<C>(a, [&](std::int64_t first, C* sums) {
      const T* dy = static_cast<const T*>(a.dy) + first;
      const T* x = static_cast<const T*>(a.pre_activation) + first;
      T* dx = static_cast<T*>(a.dpre_activation) + first;
#pragma omp simd
      for (std::int64_t c = 0; c < a.out; ++c) {
        store(dx[c], static_cast<C>(dy[c]) * derivative(static_cast<C>(x[c])));
        sums[c] += static_cast<C>(dx[c]);
      }
    });
  });
}

// dweight of one output: a thread owns columns and walks all rows. The product library would cut
// such a long sum among its threads, and its bits would depend on their number.
template <class T>
void weight_gradient_of_one_output(const LinearBackwardArgs& a, const T* dproduct) {
  using C = Compute<T>;
  C* const sums = static_cast<C*>(a.dweight.data);
  parallel_column_ranges(a.in, a.rows, [&](std::int64_t begin, std::int64_t end) {
    if (!a.dweight.accumulate) std::fill(sums + begin, sums + end, C{0});
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const T* x = static_cast<const T*>(a.x) + r * a.in;
      const C dy = static_cast<C>(dproduct[r]);
#pragma omp simd
      for (std::int64_t c = begin; c < end; ++c) sums[c] += dy * static_cast<C>(x[c]);
    }
  });
}

void weight_gradient(const LinearBackwardArgs& a, const void* dproduct) {
  if (a.out == 1)
    return visit_floating_cpu(a.dtype, [&]<class T>() {
      weight_gradient_of_one_output<T>(a, static_cast<const T*>(dproduct));
    });
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

}  // namespace

void run(const LinearForwardArgs& a, CpuStream&) {
  const bool activated = a.activation != Activation::kNone;
  matrix_product({.a = a.x,
                  .b = a.weight,
                  .bias = a.bias,
                  .c = activated ? a.pre_activation : a.y,
                  .m = a.rows,
                  .n = a.out,
                  .k = a.in,
                  .transpose_b = true,
                  .dtype = a.dtype,
                  .result = a.dtype});
  if (activated) visit_floating_cpu(a.dtype, [&]<class T>() { apply_activation<T>(a); });
}

void run(const LinearBackwardArgs& a, CpuStream&) {
  const bool activated = a.activation != Activation::kNone;
  const void* dproduct = activated ? a.dpre_activation : a.dy;
  visit_floating_cpu(a.dtype, [&]<class T>() {
    if (activated)
      activation_and_bias_gradient<T>(a);
    else if (a.dbias.data)
      bias_gradient<T>(a);
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
  if (a.dweight.data) weight_gradient(a, dproduct);
}

}  // namespace lodestone::kernels
