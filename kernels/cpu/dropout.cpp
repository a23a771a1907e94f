#include "kernels/dropout.h"

#include "engine/core/threads.h"
#include "kernels/cpu/dropout_factors.h"
#include "kernels/cpu/elements.h"
#include "kernels/cpu/row_passes.h"

// Rows are cut among threads; each element is read and written once.
namespace lodestone::kernels {

namespace {

template <class T>
void apply(const DropoutArgs& a, std::int64_t begin, std::int64_t end) {
  using C = Compute<T>;
  const Target<T> to(a.to);
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t row = r * a.cols;
    const T* from = static_cast<const T*>(a.from);
    with_dropout_factors<C>(a.mask, r, a.cols,
                            [&](std::int64_t first, std::int64_t last, const C* factors) {
                              to.put_range(row + first, row + last, [=](std::int64_t i) {
                                return factors[i - row - first] * static_cast<C>(from[i]);
                              });
                            });
  }
}

DropoutPass pass_for(DType dtype) {
  if (const DropoutPass pass = avx512_dropout(dtype)) return pass;
  return visit_floating_cpu(dtype, []<class T>() -> DropoutPass { return apply<T>; });
}

}  // namespace

void run(const DropoutArgs& args, CpuStream&) {
  if (!args.to.data) return;
  const DropoutPass pass = pass_for(args.dtype);
  parallel_for(args.rows, 1 + 8192 / std::max<std::int64_t>(1, args.cols),
               [&](std::int64_t begin, std::int64_t end) { pass(args, begin, end); });
}

}  // namespace lodestone::kernels
