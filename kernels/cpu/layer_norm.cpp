#include "kernels/layer_norm.h"

#include "kernels/cpu/layer_norm_row.h"

// Forward: rows are cut among threads; a row is read three times and stays in the first-level
// cache. Backward: one pass over dy and x writes dx and sums dweight and dbias by blocks of rows.
namespace lodestone::kernels {

namespace {

constexpr std::int64_t kElementsPerThread = 16384;

template <class T>
void forward(const LayerNormForwardArgs& a) {
  using C = Compute<T>;
  parallel_for(a.rows, 1 + kElementsPerThread / a.cols, [&](std::int64_t begin, std::int64_t end) {
    const WideRow<T> wide_weight(a.cols), wide_bias(a.cols), wide_x(a.cols);
    const C* weight = wide_weight(static_cast<const T*>(a.weight));
    const C* bias = wide_bias(static_cast<const T*>(a.bias));
    for (std::int64_t r = begin; r < end; ++r) {
      const C* x = wide_x(static_cast<const T*>(a.x) + r * a.cols);
      const RowStatistics<C> statistics = statistics_of(x, a.cols, a.eps);
      normalise_row(x, statistics, weight, bias, static_cast<T*>(a.y) + r * a.cols, a.cols);
      static_cast<C*>(a.mean)[r] = statistics.mean;
      static_cast<C*>(a.rstd)[r] = statistics.rstd;
    }
  });
}

template <class T>
void backward(const LayerNormBackwardArgs& a) {
  using C = Compute<T>;
  const Target<T> dx(a.dx);
  const auto row = [&](const WideRows<T>& wide, std::int64_t r, C* dweight, C* dbias) {
    const std::int64_t first = r * a.cols;
    const RowGradient<C> gradient = row_gradient(
        wide.dy(static_cast<const T*>(a.dy) + first), wide.x(static_cast<const T*>(a.x) + first),
        wide.weight, {static_cast<const C*>(a.mean)[r], static_cast<const C*>(a.rstd)[r]}, a.cols,
        dweight, dbias);
    if (!dx) return;
    dx.put_range(first, first + a.cols, [=](std::int64_t i) { return gradient.at(i - first); });
  };
  sum_gradients<C>(
      a.rows, a.cols, a.parts, a.dweight, a.dbias, [&] { return WideRows<T>(a.weight, a.cols); },
      row);
}

DropoutResidualLayerNormForwardArgs without_residual(const LayerNormForwardArgs& a) {
  return {.x = a.x,
          .residual = nullptr,
          .weight = a.weight,
          .bias = a.bias,
          .sum = nullptr,
          .y = a.y,
          .mean = a.mean,
          .rstd = a.rstd,
          .rows = a.rows,
          .cols = a.cols,
          .eps = a.eps,
          .mask = {},
          .dtype = a.dtype};
}

DropoutResidualLayerNormBackwardArgs without_residual(const LayerNormBackwardArgs& a) {
  return {.dy = a.dy,
          .sum = a.x,
          .weight = a.weight,
          .mean = a.mean,
          .rstd = a.rstd,
          .dx = a.dx,
          .dresidual = {},
          .dweight = a.dweight,
          .dbias = a.dbias,
          .parts = a.parts,
          .rows = a.rows,
          .cols = a.cols,
          .mask = {},
          .dtype = a.dtype};
}

}  // namespace

void run(const LayerNormForwardArgs& args, CpuStream&) {
  if (const LayerNormPasses* passes = avx512_layer_norm(args.dtype))
    return run_passes(*passes, without_residual(args), 1 + kElementsPerThread / args.cols);
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const LayerNormBackwardArgs& args, CpuStream&) {
  if (const LayerNormPasses* passes = avx512_layer_norm(args.dtype))
    return run_passes(*passes, without_residual(args));
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
