#pragma once
// Layer norm of one row, and sums over rows by blocks: shared by layer_norm and
// dropout_residual_layer_norm.
#include <cmath>
#include <cstdint>

#include "kernels/cpu/row_passes.h"
#include "kernels/cpu/row_sums.h"
#include "kernels/cpu/wide_rows.h"

namespace lodestone::kernels {

template <class C>
struct RowStatistics {
  C mean, rstd;
};

template <class C>
RowStatistics<C> statistics_of(const C* x, std::int64_t cols, float eps) {
  const C mean = sum_in_lanes<C>(cols, [=](std::int64_t c) { return x[c]; }) / static_cast<C>(cols);
  const C squares = sum_in_lanes<C>(cols, [=](std::int64_t c) {
    const C distance = x[c] - mean;
    return distance * distance;
  });
  return {mean, 1 / std::sqrt(squares / static_cast<C>(cols) + static_cast<C>(eps))};
}

// y may be x.
template <class T>
void normalise_row(const Compute<T>* x, RowStatistics<Compute<T>> statistics,
                   const Compute<T>* weight, const Compute<T>* bias, T* y, std::int64_t cols) {
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c)
    store(y[c], (x[c] - statistics.mean) * statistics.rstd * weight[c] + bias[c]);
}

// The gradient of a row's input, element by element.
template <class C>
struct RowGradient {
  const C *dy, *x, *weight;
  RowStatistics<C> statistics;
  C mean, slope;  // means of dy * weight, and of that times the normalised x
  C at(std::int64_t c) const {
    const C normalised = (x[c] - statistics.mean) * statistics.rstd;
    return statistics.rstd * (dy[c] * weight[c] - mean - normalised * slope);
  }
};

// Sums over the row and adds its share of dweight and dbias.
template <class C>
RowGradient<C> row_gradient(const C* dy, const C* x, const C* weight, RowStatistics<C> statistics,
                            std::int64_t cols, C* dweight, C* dbias) {
  C sum = 0, sum_normalised = 0;
#pragma omp simd reduction(+ : sum, sum_normalised)
  for (std::int64_t c = 0; c < cols; ++c) {
    const C normalised = (x[c] - statistics.mean) * statistics.rstd;
    const C scaled = dy[c] * weight[c];
    sum += scaled;
    sum_normalised += scaled * normalised;
    dweight[c] += dy[c] * normalised;
    dbias[c] += dy[c];
  }
  const C count = static_cast<C>(cols);
  return {dy, x, weight, statistics, sum / count, sum_normalised / count};
}

// What a thread needs to make them of rows of T.
template <class T>
struct WideRows {
  WideRows(const void* weight_row, std::int64_t cols)
      : dy(cols),
        x(cols),
        wide_weight(cols),
        weight(wide_weight(static_cast<const T*>(weight_row))) {}
  WideRow<T> dy, x, wide_weight;
  const Compute<T>* weight;
};

// Calls row(state, r, dweight, dbias) for every row, where the row adds its share of the two sums,
// and then writes the sums; state = make() for each thread. parts: scratch [row_blocks(rows), 2,
// cols].
template <class C, class Make, class Row>
void sum_gradients(std::int64_t rows, std::int64_t cols, void* parts, const Gradient& dweight,
                   const Gradient& dbias, const Make& make, const Row& row) {
  C* const sums = static_cast<C*>(parts);
  sum_over_rows(rows, 2 * cols, sums, make, [&](const auto& state, std::int64_t r, C* part) {
    row(state, r, part, part + cols);
  });
  const Target<C> weight_sums(dweight), bias_sums(dbias);
  for (std::int64_t c = 0; weight_sums && c < cols; ++c) weight_sums.put(c, sums[c]);
  for (std::int64_t c = 0; bias_sums && c < cols; ++c) bias_sums.put(c, sums[cols + c]);
}

// The forward and the backward by passes for this processor.
inline void run_passes(const LayerNormPasses& passes, const DropoutResidualLayerNormForwardArgs& a,
                       std::int64_t grain) {
  parallel_for(a.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    const RowBuffer<float> workspace(passes.workspace(a.cols) / 4);
    passes.forward(a, begin, end, workspace.data());
  });
}
inline void run_passes(const LayerNormPasses& passes,
                       const DropoutResidualLayerNormBackwardArgs& a) {
  const auto make = [&] {
    RowBuffer<float> workspace(passes.workspace(a.cols) / 4);
    passes.begin_backward(a, workspace.data());
    return workspace;
  };
  sum_gradients<float>(
      a.rows, a.cols, a.parts, a.dweight, a.dbias, make,
      [&](const RowBuffer<float>& workspace, std::int64_t r, float* dweight, float* dbias) {
        passes.backward(a, r, workspace.data(), dweight, dbias);
      });
}

}  // namespace lodestone::kernels
