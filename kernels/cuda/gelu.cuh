#pragma once
// Both forms of GELU on the device, by the CPU's formulas (kernels/gelu.h).
#include "kernels/gelu.h"

namespace lodestone::kernels {

struct ExactGelu {
  __device__ static float of(float x) {
    const float a = end_of(x);
    return (x > 0 ? x : 0.0f) - a * exp2f(log2_of_normal_tail(a));
  }
  __device__ static float derivative(float x) {
    const float a = end_of(x);
    const float d = exp2f(log2_of_normal_tail(a)) * (1 - a * normal_hazard_rate(a));
    return x > 0 ? 1 - d : d;
  }

 private:
  // |x|, at most where nothing changes any more; NaN stays NaN.
  __device__ static float end_of(float x) { return fabsf(x) > kGeluEnd ? kGeluEnd : fabsf(x); }
};

// Divisions are within 2 units of the last place, and 0 where the divisor is beyond 2^126.
struct TanhGelu {
  __device__ static float of(float x) { return __fdividef(x, 1 + expf(-gelu_tanh_argument(x))); }
  __device__ static float derivative(float x) {
    constexpr float kEnd = static_cast<float>(kGeluTanhEnd);
    const float at_most = x > kEnd ? kEnd : x;
    const float at = at_most < -kEnd ? -kEnd : at_most;
    const float s = __fdividef(1, 1 + expf(-gelu_tanh_argument(at)));
    return s + at * s * (1 - s) * gelu_tanh_argument_slope(at);
  }
};

}  // namespace lodestone::kernels
