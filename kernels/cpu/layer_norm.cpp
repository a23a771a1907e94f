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
  const auto* x = static_cast<const T*>(a.x);
  auto* y = static_cast<T*>(a.y);
  parallel_for(a.rows, 1 + kElementsPerThread / a.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const RowStatistics<C> statistics =
          normalise_row(x + r * a.cols, static_cast<const T*>(a.weight),
                        static_cast<const T*>(a.bias), y + r * a.cols, a.cols, a.eps);
      static_cast<C*>(a.mean)[r] = statistics.mean;
      static_cast<C*>(a.rstd)[r] = statistics.rstd;
    }
  });
}

template <class T>
void backward(const LayerNormBackwardArgs& a) {
  using C = Compute<T>;
  const Target<T> dx(a.dx);
  const auto row = [&](std::int64_t r, C* dweight, C* dbias) {
    const std::int64_t first = r * a.cols;
    const RowGradient<T> gradient(
        static_cast<const T*>(a.dy) + first, static_cast<const T*>(a.x) + first,
        static_cast<const T*>(a.weight),
        {static_cast<const C*>(a.mean)[r], static_cast<const C*>(a.rstd)[r]}, a.cols, dweight,
        dbias);
    if (!dx) return;
    dx.put_range(first, first + a.cols, [&](std::int64_t i) { return gradient.at(i - first); });
  };
  sum_over_rows(a.rows, a.cols, static_cast<C*>(a.parts), a.dweight, a.dbias, row);
}

}  // namespace

void run(const LayerNormForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const LayerNormBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
