#include "kernels/cast.h"

#include "engine/core/threads.h"
#include "kernels/cpu/elements.h"

namespace lodestone::kernels {

namespace {

constexpr std::int64_t kGrain = 1 << 16;

template <class From, class To>
void cast(const CastArgs& a) {
  const auto* from = static_cast<const From*>(a.from);
  auto* to = static_cast<To*>(a.to);
  parallel_for(a.count, kGrain, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i)
      store(to[i], static_cast<Compute<To>>(static_cast<Compute<From>>(from[i])));
  });
}

}  // namespace

void run(const CastArgs& a, CpuStream&) {
  visit_floating_cpu(a.from_dtype, [&]<class From>() {
    visit_floating_cpu(a.to_dtype, [&]<class To>() { cast<From, To>(a); });
  });
}

}  // namespace lodestone::kernels
