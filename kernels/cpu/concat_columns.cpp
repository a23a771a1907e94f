// One pass over the parts, split over rows: every element is read and written once.
#include "kernels/concat_columns.h"

#include <numeric>

#include "kernels/cpu/column_ranges.h"
#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class Args>
std::int64_t total_columns(const Args& a) {
  return std::accumulate(a.columns, a.columns + a.count, std::int64_t{0});
}

template <class T>
void forward(const ConcatColumnsForwardArgs& a) {
  const std::int64_t width = total_columns(a);
  parallel_for(a.rows, rows_per_thread(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      T* to = static_cast<T*>(a.y) + r * width;
      for (int k = 0; k < a.count; to += a.columns[k], ++k) {
        const T* from = static_cast<const T*>(a.parts[k]) + r * a.columns[k];
        const auto scale = static_cast<Compute<T>>(a.scales[k]);
        for (std::int64_t c = 0; c < a.columns[k]; ++c)
          to[c] = static_cast<T>(scale * static_cast<Compute<T>>(from[c]));
      }
    }
  });
}

template <class T>
void backward(const ConcatColumnsBackwardArgs& a) {
  const std::int64_t width = total_columns(a);
  parallel_for(a.rows, rows_per_thread(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* from = static_cast<const T*>(a.dy) + r * width;
      for (int k = 0; k < a.count; from += a.columns[k], ++k) {
        if (!a.dparts[k].data) continue;
        T* to = static_cast<T*>(a.dparts[k].data) + r * a.columns[k];
        const bool accumulate = a.dparts[k].accumulate;
        const auto scale = static_cast<Compute<T>>(a.scales[k]);
        for (std::int64_t c = 0; c < a.columns[k]; ++c) {
          const Compute<T> value = scale * static_cast<Compute<T>>(from[c]);
          to[c] = static_cast<T>(accumulate ? static_cast<Compute<T>>(to[c]) + value : value);
        }
      }
    }
  });
}

}  // namespace

void run(const ConcatColumnsForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const ConcatColumnsBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
