#include "kernels/dropout_residual_layer_norm.h"

#include "kernels/cpu/dropout_factors.h"
#include "kernels/cpu/layer_norm_row.h"

// Forward: a row is summed, then normalised while it is in the first-level cache, so memory sees
// one read of x and residual and one write of sum and y. Backward: one pass over dy and sum writes
// both gradients and sums dweight and dbias by blocks of rows.
namespace lodestone::kernels {

namespace {

constexpr std::int64_t kElementsPerThread = 8192;

// sum = residual + dropout(x), of row r.
template <class T>
void sum_row(const DropoutResidualLayerNormForwardArgs& a, std::int64_t r) {
  using C = Compute<T>;
  const T* x = static_cast<const T*>(a.x) + r * a.cols;
  const T* residual = static_cast<const T*>(a.residual) + r * a.cols;
  T* sum = static_cast<T*>(a.sum) + r * a.cols;
  with_dropout_factors<C>(
      a.mask, r, a.cols, [=](std::int64_t first, std::int64_t last, const C* factors) {
#pragma omp simd
        for (std::int64_t c = first; c < last; ++c)
          store(sum[c], static_cast<C>(residual[c]) + factors[c - first] * static_cast<C>(x[c]));
      });
}

template <class T>
void forward(const DropoutResidualLayerNormForwardArgs& a) {
  using C = Compute<T>;
  parallel_for(a.rows, 1 + kElementsPerThread / a.cols, [&](std::int64_t begin, std::int64_t end) {
    const WideRow<T> wide_weight(a.cols), wide_bias(a.cols), wide_sum(a.cols);
    const C* weight = wide_weight(static_cast<const T*>(a.weight));
    const C* bias = wide_bias(static_cast<const T*>(a.bias));
    for (std::int64_t r = begin; r < end; ++r) {
      sum_row<T>(a, r);
      const C* sum = wide_sum(static_cast<const T*>(a.sum) + r * a.cols);
      const RowStatistics<C> statistics = statistics_of(sum, a.cols, a.eps);
      normalise_row(sum, statistics, weight, bias, static_cast<T*>(a.y) + r * a.cols, a.cols);
      static_cast<C*>(a.mean)[r] = statistics.mean;
      static_cast<C*>(a.rstd)[r] = statistics.rstd;
    }
  });
}

// Both gradients of row r from that of the sum.
template <class T, class C>
void write_gradients(const DropoutResidualLayerNormBackwardArgs& a, RowGradient<C> dsum,
                     std::int64_t r) {
  const Target<T> dx(a.dx), dresidual(a.dresidual);
  const std::int64_t row = r * a.cols;
  if (dresidual)
    dresidual.put_range(row, row + a.cols, [=](std::int64_t i) { return dsum.at(i - row); });
  if (!dx) return;
  with_dropout_factors<C>(
      a.mask, r, a.cols, [=](std::int64_t first, std::int64_t last, const C* factors) {
        dx.put_range(row + first, row + last,
                     [=](std::int64_t i) { return factors[i - row - first] * dsum.at(i - row); });
      });
}

template <class T>
void backward(const DropoutResidualLayerNormBackwardArgs& a) {
  using C = Compute<T>;
  const auto row = [&](const WideRows<T>& wide, std::int64_t r, C* dweight, C* dbias) {
    const RowGradient<C> dsum =
        row_gradient(wide.dy(static_cast<const T*>(a.dy) + r * a.cols),
                     wide.x(static_cast<const T*>(a.sum) + r * a.cols), wide.weight,
                     {static_cast<const C*>(a.mean)[r], static_cast<const C*>(a.rstd)[r]}, a.cols,
                     dweight, dbias);
    write_gradients<T>(a, dsum, r);
  };
  sum_gradients<C>(
      a.rows, a.cols, a.parts, a.dweight, a.dbias, [&] { return WideRows<T>(a.weight, a.cols); },
      row);
}

}  // namespace

void run(const DropoutResidualLayerNormForwardArgs& args, CpuStream&) {
  if (const LayerNormPasses* passes = avx512_layer_norm(args.dtype))
    return run_passes(*passes, args, 1 + kElementsPerThread / args.cols);
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const DropoutResidualLayerNormBackwardArgs& args, CpuStream&) {
  if (const LayerNormPasses* passes = avx512_layer_norm(args.dtype))
    return run_passes(*passes, args);
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
