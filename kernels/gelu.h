#pragma once
// The polynomials behind both forms of GELU in f32, for every backend.
//
// Exact: x Phi(x) and its derivative Phi(x) + x phi(x) come of log2 of the tail Q(a) = 1 - Phi(a)
// for a = |x| (Phi(-a) = Q(a)) and of the hazard rate h = phi / Q:
//   x Phi(x) = max(x, 0) - a Q(a),   derivative = 1 - d or, left of 0, d = Q(a) (1 - a h(a))
// Beyond a = 6 both stay what they are there, 6e-9. Fitted at Chebyshev nodes; bounds measured in
// tests/ops/gelu_test.cpp.
//
// Tanh: x / 2 (1 + tanh(z / 2)) = x s for s = 1 / (1 + exp(-z)), which does not cancel left of 0;
// its derivative is s + x s (1 - s) dz/dx.
namespace lodestone::kernels {

// a from which the exact form no longer changes.
inline constexpr float kGeluEnd = 6.0f;

// log2 Q(a) for a in [0, 6].
constexpr float log2_of_normal_tail(float a) {
  float p = -2.622888751e-8f;
  p = p * a + 7.919798009e-7f;
  p = p * a - 1.023568348e-5f;
  p = p * a + 7.201833796e-5f;
  p = p * a - 2.634700213e-4f;
  p = p * a - 3.599311458e-5f;
  p = p * a + 6.994218566e-3f;
  p = p * a - 5.247564241e-2f;
  p = p * a - 4.592087269e-1f;
  p = p * a - 1.151105762e+0f;
  return p * a - 1.0f;
}

// h(a) for a in [0, 6].
constexpr float normal_hazard_rate(float a) {
  float h = -2.841025661e-6f;
  h = h * a + 4.866114613e-5f;
  h = h * a - 3.428180353e-4f;
  h = h * a + 1.131350640e-3f;
  h = h * a + 1.541592246e-5f;
  h = h * a - 1.926349103e-2f;
  h = h * a + 1.090496555e-1f;
  h = h * a + 6.366146803e-1f;
  return h * a + 7.978846431e-1f;
}

// |x| from which the derivative of the tanh form is 0 or 1 to the last bit.
inline constexpr double kGeluTanhEnd = 10;

// z of the tanh form: 2 sqrt(2 / pi) (x + 0.044715 x^3), and dz/dx.
template <class C>
constexpr C gelu_tanh_argument(C x) {
  constexpr C kLinear = static_cast<C>(1.5957691216057308), kCubic = static_cast<C>(0.044715);
  return kLinear * (x + kCubic * x * x * x);
}
template <class C>
constexpr C gelu_tanh_argument_slope(C x) {
  constexpr C kLinear = static_cast<C>(1.5957691216057308), kCubic = static_cast<C>(0.044715);
  return kLinear * (1 + 3 * kCubic * x * x);
}

}  // namespace lodestone::kernels
