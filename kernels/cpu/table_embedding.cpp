// Forward: split over tokens; reads a table row and writes a row each. Backward: the table's
// gradient is split over its rows, each the wide sum of its group's tokens in order; the value
// weight's is split over columns. dy is read twice.
#include "kernels/table_embedding.h"

#include <algorithm>

#include "kernels/cpu/column_ranges.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward(const TableEmbeddingForwardArgs& a) {
  using Real = Compute<T>;
  const T* weight = static_cast<const T*>(a.value_weight);
  parallel_for(a.tokens, rows_per_thread(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const T* row = static_cast<const T*>(a.table) + a.row_of_token[n] * a.columns;
      T* to = static_cast<T*>(a.y) + n * a.columns;
      if (!weight) {
        std::copy_n(row, a.columns, to);
        continue;
      }
      const Real value = static_cast<const Real*>(a.values)[n];
      for (std::int64_t c = 0; c < a.columns; ++c)
        to[c] = static_cast<T>(static_cast<Real>(row[c]) + value * static_cast<Real>(weight[c]));
    }
  });
}

// The gradient of table row u.
template <class T>
void sum_group(const TableEmbeddingBackwardArgs& a, std::int64_t u) {
  using Real = Compute<T>;
  Real* const dtable = static_cast<Real*>(a.dtable.data) + u * a.columns;
  if (!a.dtable.accumulate) std::fill_n(dtable, a.columns, Real{0});
  for (std::int64_t i = a.group_offsets[u]; i < a.group_offsets[u + 1]; ++i) {
    const T* from = static_cast<const T*>(a.dy) + a.token_order[i] * a.columns;
    for (std::int64_t c = 0; c < a.columns; ++c) dtable[c] += static_cast<Real>(from[c]);
  }
}

template <class T>
void backward_table(const TableEmbeddingBackwardArgs& a) {
  const std::int64_t tokens_per_row =
      (a.tokens + a.table_rows - 1) / std::max<std::int64_t>(1, a.table_rows);
  parallel_for(a.table_rows, rows_per_thread(a.columns * (1 + tokens_per_row)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t u = begin; u < end; ++u) sum_group<T>(a, u);
               });
}

template <class T>
void backward_value_weight(const TableEmbeddingBackwardArgs& a) {
  using Real = Compute<T>;
  Real* const dweight = static_cast<Real*>(a.dvalue_weight.data);
  const Real* values = static_cast<const Real*>(a.values);
  parallel_column_ranges(a.columns, a.tokens, [&](std::int64_t first, std::int64_t last) {
    if (!a.dvalue_weight.accumulate) std::fill(dweight + first, dweight + last, Real{0});
    for (std::int64_t n = 0; n < a.tokens; ++n) {
      const T* from = static_cast<const T*>(a.dy) + n * a.columns;
      for (std::int64_t c = first; c < last; ++c)
        dweight[c] += values[n] * static_cast<Real>(from[c]);
    }
  });
}

}  // namespace

void run(const TableEmbeddingForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const TableEmbeddingBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() {
    if (args.dtable.data) backward_table<T>(args);
    if (args.dvalue_weight.data) backward_value_weight<T>(args);
  });
}

}  // namespace lodestone::kernels
