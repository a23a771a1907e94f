// Forward: copies of rows, split over them; reads and writes each row once. Backward: a thread owns
// a range of columns and adds all rows of dy in order, so rows chosen twice sum in one order; moves
// dy once, the gradient rows twice, and the whole table once more when it must be zeroed.
#include "kernels/gather_rows.h"

#include <algorithm>

#include "kernels/cpu/column_ranges.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward(const GatherRowsForwardArgs& a) {
  parallel_for(a.count, rows_per_thread(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m)
      std::copy_n(static_cast<const T*>(a.table) + a.rows[m] * a.columns, a.columns,
                  static_cast<T*>(a.y) + m * a.columns);
  });
}

template <class T, class G>
void backward(const GatherRowsBackwardArgs& a) {
  const T* dy = static_cast<const T*>(a.dy);
  G* const dtable = static_cast<G*>(a.dtable.data);
  if (!a.dtable.accumulate)
    parallel_for(a.table_rows, rows_per_thread(a.columns),
                 [&](std::int64_t begin, std::int64_t end) {
                   std::fill(dtable + begin * a.columns, dtable + end * a.columns, G{});
                 });
  parallel_column_ranges(a.columns, a.count, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t m = 0; m < a.count; ++m) {
      if (a.rows[m] == a.row_without_gradient) continue;
      G* to = dtable + a.rows[m] * a.columns;
      const T* from = dy + m * a.columns;
      for (std::int64_t c = first; c < last; ++c)
        to[c] = static_cast<G>(static_cast<Compute<T>>(to[c]) + static_cast<Compute<T>>(from[c]));
    }
  });
}

}  // namespace

void run(const GatherRowsForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const GatherRowsBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() {
    if (args.gradient_dtype == args.dtype) return backward<T, T>(args);
    backward<T, Compute<T>>(args);
  });
}

}  // namespace lodestone::kernels
