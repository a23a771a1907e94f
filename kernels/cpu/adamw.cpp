// A thread has pieces, and every element is updated alone: the results do not depend on the number
// of threads.
#include "kernels/adamw.h"

#include <cmath>
#include <type_traits>

#include "engine/core/threads.h"

namespace lodestone::kernels {

namespace {

// What one update reads and writes of n elements.
template <class Value>
struct Elements {
  float* __restrict gradient;
  float* __restrict master;
  float* __restrict first;
  float* __restrict second;
  Value* __restrict value;  // not written where the masters are the values
};

// The factors come by value, so that no store may be to them: then the loop vectorises.
template <class Value>
void update_elements(const AdamWFactors f, float scale, float keep, std::int64_t n,
                     const Elements<Value>& e) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = scale * e.gradient[i];
    const float first = f.beta1 * e.first[i] + f.add1 * g;
    const float second = f.beta2 * e.second[i] + f.add2 * g * g;
    const float denominator = std::sqrt(second) * f.root_correction + f.eps;
    const float master = keep * e.master[i] - f.rate * first / denominator;
    e.gradient[i] = 0;
    e.first[i] = first;
    e.second[i] = second;
    e.master[i] = master;
    if constexpr (std::is_same_v<Value, BFloat16>) e.value[i].bits = BFloat16(master).bits;
  }
}

template <class Value>
void update(const AdamWArgs& a, float scale) {
  parallel_for(a.pieces, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t at = a.offsets[piece];
      const float keep = a.decays[piece] != 0 ? a.factors.keep : 1.0f;
      Value* value = nullptr;
      if constexpr (std::is_same_v<Value, BFloat16>) value = static_cast<Value*>(a.values) + at;
      update_elements<Value>(a.factors, scale, keep, a.offsets[piece + 1] - at,
                             {.gradient = a.gradients + at,
                              .master = a.masters + at,
                              .first = a.first + at,
                              .second = a.second + at,
                              .value = value});
    }
  });
}

}  // namespace

void run(const AdamWArgs& args, CpuStream&) {
  if (!std::isfinite(*args.norm)) return;
  const auto scale = static_cast<float>(clip_coefficient(*args.norm, args.factors.max_norm));
  args.values ? update<BFloat16>(args, scale) : update<float>(args, scale);
}

}  // namespace lodestone::kernels
