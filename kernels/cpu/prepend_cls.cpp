// Copies, split over cells. The gradient of cls is split over columns, each summed over the cells
// in order.
#include "kernels/prepend_cls.h"

#include <algorithm>

#include "kernels/cpu/column_ranges.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

// The least number of cells worth a thread.
template <class Args>
std::int64_t cells_per_thread(const Args& a) {
  return rows_per_thread(a.columns * (a.rows / std::max<std::int64_t>(1, a.cells) + 1));
}

template <class T>
void forward(const PrependClsForwardArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  parallel_for(a.cells, cells_per_thread(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) {
      T* to = y + (a.offsets[cell] + cell) * a.columns;
      to = std::copy_n(static_cast<const T*>(a.cls) + a.species[cell] * a.columns, a.columns, to);
      std::copy(x + a.offsets[cell] * a.columns, x + a.offsets[cell + 1] * a.columns, to);
    }
  });
}

template <class T>
void backward_x(const PrependClsBackwardArgs& a) {
  parallel_for(a.cells, cells_per_thread(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) {
      const std::int64_t count = (a.offsets[cell + 1] - a.offsets[cell]) * a.columns;
      const T* from = static_cast<const T*>(a.dy) + (a.offsets[cell] + cell + 1) * a.columns;
      T* to = static_cast<T*>(a.dx.data) + a.offsets[cell] * a.columns;
      if (!a.dx.accumulate) {
        std::copy_n(from, count, to);
        continue;
      }
      for (std::int64_t i = 0; i < count; ++i)
        to[i] = static_cast<T>(static_cast<Compute<T>>(to[i]) + static_cast<Compute<T>>(from[i]));
    }
  });
}

template <class T>
void backward_cls(const PrependClsBackwardArgs& a) {
  using Real = Compute<T>;
  Real* const dcls = static_cast<Real*>(a.dcls.data);
  if (!a.dcls.accumulate) std::fill_n(dcls, a.kinds * a.columns, Real{0});
  parallel_column_ranges(a.columns, a.cells, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t cell = 0; cell < a.cells; ++cell) {
      const T* from = static_cast<const T*>(a.dy) + (a.offsets[cell] + cell) * a.columns;
      Real* to = dcls + a.species[cell] * a.columns;
      for (std::int64_t c = first; c < last; ++c) to[c] += static_cast<Real>(from[c]);
    }
  });
}

}  // namespace

void run(const PrependClsForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const PrependClsBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() {
    if (args.dx.data) backward_x<T>(args);
    if (args.dcls.data) backward_cls<T>(args);
  });
}

}  // namespace lodestone::kernels
