#include "kernels/quick_gelu.h"

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/row_passes.h"

namespace lodestone::kernels {

namespace {

template <class C>
C sigmoid(C x) {
  return 1 / (1 + exponential(-x));
}

constexpr double kSteepness = 1.702;

template <class C>
C value_at(C x) {
  return x * sigmoid(static_cast<C>(kSteepness) * x);
}

template <class C>
C derivative_at(C x) {
  const C inner = static_cast<C>(kSteepness) * x;
  const C gate = sigmoid(inner);
  return gate * (1 + inner * (1 - gate));
}

}  // namespace

void run(const QuickGeluForwardArgs& a, CpuStream&) {
  if (const QuickGeluPasses* passes = avx512_quick_gelu(a.dtype))
    return parallel_for(
        a.count, kMappedElementsPerThread,
        [&](std::int64_t begin, std::int64_t end) { passes->forward(a.x, a.y, begin, end); });
  visit_floating_cpu(a.dtype, [&]<class T>() {
    map<T>(a.x, a.y, a.count, [](Compute<T> x) { return value_at(x); });
  });
}

void run(const QuickGeluBackwardArgs& a, CpuStream&) {
  if (!a.dx.data) return;
  if (const QuickGeluPasses* passes = avx512_quick_gelu(a.dtype))
    return parallel_for(a.count, kMappedElementsPerThread,
                        [&](std::int64_t begin, std::int64_t end) {
                          passes->backward(a.dy, a.x, a.dx, begin, end);
                        });
  visit_floating_cpu(a.dtype, [&]<class T>() {
    map_gradient<T>(a.dy, a.x, a.dx, a.count, [](Compute<T> x) { return derivative_at(x); });
  });
}

}  // namespace lodestone::kernels
