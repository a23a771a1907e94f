// Split over rows: two passes over a row's logits forward (maximum, sum), one backward. Row losses
// are added in order, in f64.
#include "kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/column_ranges.h"
#include "kernels/cpu/elementary.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward_row(const CrossEntropyForwardArgs& a, std::int64_t m) {
  using Real = Compute<T>;
  const T* logits = static_cast<const T*>(a.logits) + m * a.columns;
  Real maximum = static_cast<Real>(logits[0]);
#pragma omp simd reduction(max : maximum)
  for (std::int64_t v = 0; v < a.columns; ++v) {
    const Real logit = static_cast<Real>(logits[v]);
    maximum = logit > maximum ? logit : maximum;
  }
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t v = 0; v < a.columns; ++v)
    sum += exponential(static_cast<Real>(logits[v]) - maximum);
  const Real log_sum = std::log(sum);
  static_cast<Real*>(a.maxima)[m] = maximum;
  static_cast<Real*>(a.log_sums)[m] = log_sum;
  static_cast<Real*>(a.row_losses)[m] =
      log_sum - (static_cast<Real>(logits[a.labels[m]]) - maximum);
}

template <class T>
void forward(const CrossEntropyForwardArgs& a) {
  using Real = Compute<T>;
  Real* const losses = static_cast<Real*>(a.row_losses);
  parallel_for(a.rows, rows_per_thread(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      losses[m] = 0;
      if (a.labels[m] != kIgnoredLabel) forward_row<T>(a, m);
    }
  });
  *static_cast<Real*>(a.loss) = static_cast<Real>(std::accumulate(losses, losses + a.rows, 0.0));
}

template <class T>
void backward_row(const CrossEntropyBackwardArgs& a, std::int64_t m) {
  using Real = Compute<T>;
  const T* logits = static_cast<const T*>(a.logits) + m * a.columns;
  T* const dlogits = static_cast<T*>(a.dlogits.data) + m * a.columns;
  const Real dloss = *static_cast<const Real*>(a.dloss);
  const Real maximum = static_cast<const Real*>(a.maxima)[m];
  const Real log_sum = static_cast<const Real*>(a.log_sums)[m];
  const bool accumulate = a.dlogits.accumulate;
  const auto write = [&](std::int64_t v, Real target) {
    const Real probability = exponential((static_cast<Real>(logits[v]) - maximum) - log_sum);
    const Real value = dloss * (probability - target);
    dlogits[v] = static_cast<T>(accumulate ? static_cast<Real>(dlogits[v]) + value : value);
  };
  const std::int64_t label = a.labels[m];
  for (std::int64_t v = 0; v < label; ++v) write(v, 0);
  write(label, 1);
  for (std::int64_t v = label + 1; v < a.columns; ++v) write(v, 0);
}

template <class T>
void backward(const CrossEntropyBackwardArgs& a) {
  parallel_for(a.rows, rows_per_thread(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      if (a.labels[m] != kIgnoredLabel)
        backward_row<T>(a, m);
      else if (!a.dlogits.accumulate)
        std::fill_n(static_cast<T*>(a.dlogits.data) + m * a.columns, a.columns, T{});
    }
  });
}

}  // namespace

void run(const CrossEntropyForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const CrossEntropyBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
