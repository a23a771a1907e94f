// Forward: split over cells; one pass. Backward: dx and the token type's gradient are one pass each
// over dy, the latter split over columns; the positions' gradient is split over positions, each the
// sum over cells in order of the rows at that position.
#include "kernels/add_positions.h"

#include <algorithm>

#include "kernels/cpu/column_ranges.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward(const AddPositionsForwardArgs& a) {
  using Real = Compute<T>;
  const T* type = static_cast<const T*>(a.token_type);
  const std::int64_t rows_per_cell = a.rows / std::max<std::int64_t>(1, a.cells) + 1;
  const auto cells = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell)
      for (std::int64_t n = a.offsets[cell]; n < a.offsets[cell + 1]; ++n) {
        const T* x = static_cast<const T*>(a.x) + n * a.columns;
        const T* position = static_cast<const T*>(a.positions) + (n - a.offsets[cell]) * a.columns;
        T* y = static_cast<T*>(a.y) + n * a.columns;
        for (std::int64_t c = 0; c < a.columns; ++c)
          y[c] = static_cast<T>(static_cast<Real>(x[c]) + static_cast<Real>(type[c]) +
                                static_cast<Real>(position[c]));
      }
  };
  parallel_for(a.cells, rows_per_thread(a.columns * rows_per_cell), cells);
}

template <class T>
void backward_x(const AddPositionsBackwardArgs& a) {
  using Real = Compute<T>;
  const std::int64_t grain = rows_per_thread(1);
  parallel_for(a.rows * a.columns, grain, [&](std::int64_t begin, std::int64_t end) {
    const T* dy = static_cast<const T*>(a.dy);
    T* dx = static_cast<T*>(a.dx.data);
    if (!a.dx.accumulate) {
      std::copy(dy + begin, dy + end, dx + begin);
      return;
    }
    for (std::int64_t i = begin; i < end; ++i)
      dx[i] = static_cast<T>(static_cast<Real>(dx[i]) + static_cast<Real>(dy[i]));
  });
}

template <class T>
void backward_token_type(const AddPositionsBackwardArgs& a) {
  using Real = Compute<T>;
  Real* const dtoken_type = static_cast<Real*>(a.dtoken_type.data);
  if (!a.dtoken_type.accumulate) std::fill_n(dtoken_type, a.types * a.columns, Real{0});
  parallel_column_ranges(a.columns, a.rows, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t n = 0; n < a.rows; ++n) {
      const T* dy = static_cast<const T*>(a.dy) + n * a.columns;
      for (std::int64_t c = first; c < last; ++c) dtoken_type[c] += static_cast<Real>(dy[c]);
    }
  });
}

template <class T>
void backward_positions(const AddPositionsBackwardArgs& a) {
  using Real = Compute<T>;
  const auto positions = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      Real* to = static_cast<Real*>(a.dpositions.data) + p * a.columns;
      if (!a.dpositions.accumulate) std::fill_n(to, a.columns, Real{0});
      for (std::int64_t cell = 0; cell < a.cells; ++cell) {
        const std::int64_t n = a.offsets[cell] + p;
        if (n >= a.offsets[cell + 1]) continue;
        const T* dy = static_cast<const T*>(a.dy) + n * a.columns;
        for (std::int64_t c = 0; c < a.columns; ++c) to[c] += static_cast<Real>(dy[c]);
      }
    }
  };
  parallel_for(a.position_rows, rows_per_thread(a.columns * (1 + a.cells)), positions);
}

}  // namespace

void run(const AddPositionsForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const AddPositionsBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() {
    if (args.dx.data) backward_x<T>(args);
    if (args.dtoken_type.data) backward_token_type<T>(args);
    if (args.dpositions.data) backward_positions<T>(args);
  });
}

}  // namespace lodestone::kernels
