#include "kernels/dropout_residual_layer_norm.h"

#include "kernels/cpu/dropout_factors.h"
#include "kernels/cpu/layer_norm_row.h"

// Forward: a row is summed, then normalised while it is in the first-level cache, so memory sees
// one read of x and residual and one write of sum and y. Backward: one pass over dy and sum writes
// both gradients and sums dweight and dbias by blocks of rows.
namespace lodestone::kernels {

namespace {

constexpr std::int64_t kElementsPerThread = 8192;

template <class T>
void forward(const DropoutResidualLayerNormForwardArgs& a) {
  using C = Compute<T>;
  const auto row = [&](std::int64_t r) {
    const std::int64_t first = r * a.cols;
    const T* x = static_cast<const T*>(a.x) + first;
    const T* residual = static_cast<const T*>(a.residual) + first;
    T* sum = static_cast<T*>(a.sum) + first;
    with_dropout_factors<C>(a.mask, r, a.cols, [=](std::int64_t c, C factor) {
      store(sum[c], static_cast<C>(residual[c]) + factor * static_cast<C>(x[c]));
    });
    const RowStatistics<C> statistics =
        normalise_row<T>(sum, static_cast<const T*>(a.weight), static_cast<const T*>(a.bias),
                         static_cast<T*>(a.y) + first, a.cols, a.eps);
    static_cast<C*>(a.mean)[r] = statistics.mean;
    static_cast<C*>(a.rstd)[r] = statistics.rstd;
  };
  parallel_for(a.rows, 1 + kElementsPerThread / a.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row(r);
  });
}

template <class T>
void backward(const DropoutResidualLayerNormBackwardArgs& a) {
  using C = Compute<T>;
  const Target<T> dx(a.dx), dresidual(a.dresidual);
  const auto row = [&](std::int64_t r, C* dweight, C* dbias) {
    const std::int64_t first = r * a.cols;
    const RowGradient<T> dsum(static_cast<const T*>(a.dy) + first,
                              static_cast<const T*>(a.sum) + first, static_cast<const T*>(a.weight),
                              {static_cast<const C*>(a.mean)[r], static_cast<const C*>(a.rstd)[r]},
                              a.cols, dweight, dbias);
    if (dresidual)
      dresidual.put_range(first, first + a.cols,
                          [&](std::int64_t i) { return dsum.at(i - first); });
    if (!dx) return;
    with_dropout_factors<C>(a.mask, r, a.cols, [&](std::int64_t c, C factor) {
      dx.put(first + c, factor * dsum.at(c));
    });
  };
  sum_over_rows(a.rows, a.cols, static_cast<C*>(a.parts), a.dweight, a.dbias, row);
}

}  // namespace

void run(const DropoutResidualLayerNormForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const DropoutResidualLayerNormBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
