#pragma once
// Layer norm of one row, and sums over rows by blocks: shared by layer_norm and
// dropout_residual_layer_norm.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/core/threads.h"
#include "kernels/cpu/elements.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

template <class C>
struct RowStatistics {
  C mean, rstd;
};

// y may be x.
template <class T>
RowStatistics<Compute<T>> normalise_row(const T* x, const T* weight, const T* bias, T* y,
                                        std::int64_t cols, float eps) {
  using C = Compute<T>;
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < cols; ++c) sum += static_cast<C>(x[c]);
  const C mean = sum / static_cast<C>(cols);
  C squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t c = 0; c < cols; ++c) {
    const C distance = static_cast<C>(x[c]) - mean;
    squares += distance * distance;
  }
  const C rstd = 1 / std::sqrt(squares / static_cast<C>(cols) + static_cast<C>(eps));
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c) {
    const C normalised = (static_cast<C>(x[c]) - mean) * rstd;
    store(y[c], normalised * static_cast<C>(weight[c]) + static_cast<C>(bias[c]));
  }
  return {mean, rstd};
}

// The gradient of one row's input, element by element: at(c) once the constructor has summed over
// the row. The constructor also adds the row's share of dweight and dbias.
template <class T>
class RowGradient {
  using C = Compute<T>;

 public:
  RowGradient(const T* dy, const T* x, const T* weight, RowStatistics<C> statistics,
              std::int64_t cols, C* dweight, C* dbias)
      : dy_(dy), x_(x), weight_(weight), statistics_(statistics) {
    C sum = 0, sum_normalised = 0;
#pragma omp simd reduction(+ : sum, sum_normalised)
    for (std::int64_t c = 0; c < cols; ++c) {
      const C dy_c = static_cast<C>(dy[c]);
      const C normalised = (static_cast<C>(x[c]) - statistics.mean) * statistics.rstd;
      const C g = dy_c * static_cast<C>(weight[c]);
      sum += g;
      sum_normalised += g * normalised;
      dweight[c] += dy_c * normalised;
      dbias[c] += dy_c;
    }
    mean_ = sum / static_cast<C>(cols);
    mean_normalised_ = sum_normalised / static_cast<C>(cols);
  }

  C at(std::int64_t c) const {
    const C normalised = (static_cast<C>(x_[c]) - statistics_.mean) * statistics_.rstd;
    const C g = static_cast<C>(dy_[c]) * static_cast<C>(weight_[c]);
    return statistics_.rstd * (g - mean_ - normalised * mean_normalised_);
  }

 private:
  const T *dy_, *x_, *weight_;
  RowStatistics<C> statistics_;
  C mean_, mean_normalised_;
};

// Calls row(r, dweight, dbias) for every row, where the row adds its share of the two sums, and
// then writes the sums. parts: scratch [row_blocks(rows), 2, cols].
template <class C, class Row>
void sum_over_rows(std::int64_t rows, std::int64_t cols, C* parts, const Gradient& dweight,
                   const Gradient& dbias, Row&& row) {
  const std::int64_t blocks = row_blocks(rows);
  parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      C* part = parts + block * 2 * cols;
      std::fill_n(part, 2 * cols, C{0});
      for (std::int64_t r = rows * block / blocks; r < rows * (block + 1) / blocks; ++r)
        row(r, part, part + cols);
    }
  });
  for (std::int64_t block = 1; block < blocks; ++block) {
#pragma omp simd
    for (std::int64_t c = 0; c < 2 * cols; ++c) parts[c] += parts[block * 2 * cols + c];
  }
  const Target<C> weight_sums(dweight), bias_sums(dbias);
  for (std::int64_t c = 0; weight_sums && c < cols; ++c) weight_sums.put(c, parts[c]);
  for (std::int64_t c = 0; bias_sums && c < cols; ++c) bias_sums.put(c, parts[cols + c]);
}

}  // namespace lodestone::kernels
