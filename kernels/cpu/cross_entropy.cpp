// Split over rows; one pass over a row's logits each way. Row losses are added in order, in f64.
#include "kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "kernels/cpu/column_ranges.h"
#include "kernels/cpu/power_of_two.h"
#include "kernels/cpu/row_passes.h"
#include "kernels/cpu/wide_rows.h"

namespace lodestone::kernels {

namespace {

// The maximum and, beside it, the sum of exp(logit - maximum), over pieces of a row that fit the
// first-level cache: memory sees each logit once.
template <class T>
std::pair<Compute<T>, Compute<T>> maximum_and_sum(const T* logits, std::int64_t columns) {
  using C = Compute<T>;
  constexpr std::int64_t kPiece = 4096;
  C maximum = -std::numeric_limits<C>::infinity(), sum = 0;
  for (std::int64_t first = 0; first < columns; first += kPiece) {
    const T* piece = logits + first;
    const std::int64_t count = std::min(kPiece, columns - first);
    const C highest =
        max_in_lanes<C>(count, [=](std::int64_t v) { return static_cast<C>(piece[v]); });
    if (highest > maximum) {
      sum *= exponential_below_one(maximum - highest);
      maximum = highest;
    }
    C piece_sum = 0;
#pragma omp simd reduction(+ : piece_sum)
    for (std::int64_t v = 0; v < count; ++v)
      piece_sum += exponential_below_one(static_cast<C>(piece[v]) - maximum);
    sum += piece_sum;
  }
  return {maximum, sum};
}

template <class T>
void forward_row(const CrossEntropyForwardArgs& a, std::int64_t m) {
  using C = Compute<T>;
  const T* logits = static_cast<const T*>(a.logits) + m * a.columns;
  C maximum, sum;
  if (const CrossEntropyPasses* passes = avx512_cross_entropy(a.dtype)) {
    const SoftmaxSum found = passes->forward(logits, a.columns);
    maximum = found.maximum, sum = found.sum;
  } else {
    std::tie(maximum, sum) = maximum_and_sum(logits, a.columns);
  }
  const C log_sum = std::log(sum);
  static_cast<C*>(a.maxima)[m] = maximum;
  static_cast<C*>(a.log_sums)[m] = log_sum;
  static_cast<C*>(a.row_losses)[m] = log_sum - (static_cast<C>(logits[a.labels[m]]) - maximum);
}

template <class T>
void forward(const CrossEntropyForwardArgs& a) {
  using C = Compute<T>;
  C* const losses = static_cast<C*>(a.row_losses);
  parallel_for(a.rows, rows_per_thread(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      losses[m] = 0;
      if (a.labels[m] != kIgnoredLabel) forward_row<T>(a, m);
    }
  });
  *static_cast<C*>(a.loss) = static_cast<C>(std::accumulate(losses, losses + a.rows, 0.0));
}

// dlogits may be the logits: every element is read before it is written, and the label's before
// all.
template <class T>
void backward_row(const CrossEntropyBackwardArgs& a, std::int64_t m) {
  using C = Compute<T>;
  const T* logits = static_cast<const T*>(a.logits) + m * a.columns;
  const Target<T> dlogits(a.dlogits);
  const C dloss = *static_cast<const C*>(a.dloss);
  const C maximum = static_cast<const C*>(a.maxima)[m];
  const C log_sum = static_cast<const C*>(a.log_sums)[m];
  const auto probability = [=](std::int64_t v) {
    return exponential_below_one((static_cast<C>(logits[v]) - maximum) - log_sum);
  };
  const std::int64_t first = m * a.columns, label = a.labels[m];
  const C before = a.dlogits.accumulate ? static_cast<C>(dlogits.data[first + label]) : C{0};
  const C at_label = before + dloss * (probability(label) - 1);
  if (const CrossEntropyPasses* passes = avx512_cross_entropy(a.dtype))
    passes->backward(logits, a.columns, static_cast<float>(maximum), static_cast<float>(log_sum),
                     static_cast<float>(dloss), {dlogits.data + first, a.dlogits.accumulate});
  else
    dlogits.put_range(first, first + a.columns,
                      [=](std::int64_t i) { return dloss * probability(i - first); });
  store(dlogits.data[first + label], at_label);
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
