#include "kernels/tanh.h"

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementwise.h"

namespace lodestone::kernels {

namespace {

template <class C>
C derivative_of_result(C y) {
  return (1 - y) * (1 + y);
}

}  // namespace

void run(const TanhForwardArgs& a, CpuStream&) {
  visit_floating_cpu(a.dtype, [&]<class T>() {
    map<T>(a.x, a.y, a.count, [](Compute<T> x) { return hyperbolic_tangent(x); });
  });
}

void run(const TanhBackwardArgs& a, CpuStream&) {
  visit_floating_cpu(a.dtype, [&]<class T>() {
    map_gradient<T>(a.dy, a.y, a.dx, a.count, [](Compute<T> y) { return derivative_of_result(y); });
  });
}

}  // namespace lodestone::kernels
