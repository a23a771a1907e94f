// A handful of numbers: summed in f64, in order.
#include "kernels/weighted_sum.h"

#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward(const WeightedSumForwardArgs& a) {
  double sum = 0;
  for (int k = 0; k < a.count; ++k)
    sum += a.weights[k] * static_cast<double>(*static_cast<const T*>(a.terms[k]));
  *static_cast<T*>(a.y) = static_cast<T>(static_cast<Compute<T>>(sum));
}

template <class T>
void backward(const WeightedSumBackwardArgs& a) {
  const auto dy = static_cast<double>(*static_cast<const T*>(a.dy));
  for (int k = 0; k < a.count; ++k) {
    T* const to = static_cast<T*>(a.dterms[k].data);
    if (!to) continue;
    const double value = a.weights[k] * dy;
    *to = static_cast<T>(
        static_cast<Compute<T>>(a.dterms[k].accumulate ? static_cast<double>(*to) + value : value));
  }
}

}  // namespace

void run(const WeightedSumForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const WeightedSumBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
