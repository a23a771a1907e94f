// One number a chosen row: a few thousand in a step, so one thread does them all. Summed in f64.
#include "kernels/squared_error.h"

#include "kernels/visit.h"

namespace lodestone::kernels {

namespace {

template <class T>
void forward(const SquaredErrorForwardArgs& a) {
  using Real = Compute<T>;
  double sum = 0;
  for (std::int64_t m = 0; m < a.count; ++m) {
    const double error = static_cast<double>(static_cast<const T*>(a.predictions)[m]) -
                         static_cast<double>(static_cast<const Real*>(a.targets)[m]);
    sum += error * error;
  }
  *static_cast<Real*>(a.loss) = static_cast<Real>(sum);
}

template <class T>
void backward(const SquaredErrorBackwardArgs& a) {
  using Real = Compute<T>;
  const Real dloss = *static_cast<const Real*>(a.dloss);
  T* const to = static_cast<T*>(a.dpredictions.data);
  for (std::int64_t m = 0; m < a.count; ++m) {
    const Real error = static_cast<Real>(static_cast<const T*>(a.predictions)[m]) -
                       static_cast<const Real*>(a.targets)[m];
    const Real value = 2 * dloss * error;
    to[m] = static_cast<T>(a.dpredictions.accumulate ? static_cast<Real>(to[m]) + value : value);
  }
}

}  // namespace

void run(const SquaredErrorForwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { forward<T>(args); });
}

void run(const SquaredErrorBackwardArgs& args, CpuStream&) {
  visit_floating_cpu(args.dtype, [&]<class T>() { backward<T>(args); });
}

}  // namespace lodestone::kernels
