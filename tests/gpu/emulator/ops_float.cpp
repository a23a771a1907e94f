// f32 and f64 arithmetic with its rounding modes, flushing of subnormal numbers and saturation.
//
// Directed rounding is the host's own: its mode is set around the loop over the lanes. This file is
// compiled with -frounding-math.
#include <cfenv>
#include <cmath>
#include <cstdint>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return a - b;
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
};
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};
struct MultiplyAdd {
  float operator()(float a, float b, float c) const { return __builtin_fmaf(a, b, c); }
  double operator()(double a, double b, double c) const { return __builtin_fma(a, b, c); }
};
struct SquareRoot {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Reciprocal {
  template <class T>
  T operator()(T a) const {
    return T{1} / a;
  }
};

// Runs a handler in another rounding mode.
template <Handler kHandler, int kMode>
void rounded(Warp& warp, const Operation& operation, LaneMask mask) {
  std::fesetround(kMode);
  kHandler(warp, operation, mask);
  std::fesetround(FE_TONEAREST);
}

template <Handler kHandler>
Handler with_rounding(std::string_view rounding) {
  if (rounding == ".rz") return rounded<kHandler, FE_TOWARDZERO>;
  if (rounding == ".rm") return rounded<kHandler, FE_DOWNWARD>;
  if (rounding == ".rp") return rounded<kHandler, FE_UPWARD>;
  return kHandler;
}

// Groups of the form: rounding, .ftz, .sat.
template <class Function, std::size_t kSources>
void translate_f32(Translator& t, const Instruction& instruction, const Match& match,
                   Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 32);
  const bool saturate = match.has(2);
  if (match.has(1)) {
    operation.handler =
        saturate ? with_rounding<float_lanes<Function, float, kSources, true, true>>(match[0])
                 : with_rounding<float_lanes<Function, float, kSources, true, false>>(match[0]);
  } else {
    operation.handler =
        saturate ? with_rounding<float_lanes<Function, float, kSources, false, true>>(match[0])
                 : with_rounding<float_lanes<Function, float, kSources, false, false>>(match[0]);
  }
}

// Groups of the form: rounding, .ftz.
template <class Function, std::size_t kSources>
void translate_f32_unsaturated(Translator& t, const Instruction& instruction, const Match& match,
                               Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 32);
  operation.handler =
      match.has(1) ? with_rounding<float_lanes<Function, float, kSources, true, false>>(match[0])
                   : with_rounding<float_lanes<Function, float, kSources, false, false>>(match[0]);
}

// The group of the form: rounding.
template <class Function, std::size_t kSources>
void translate_f64(Translator& t, const Instruction& instruction, const Match& match,
                   Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 64);
  operation.handler =
      with_rounding<float_lanes<Function, double, kSources, false, false>>(match[0]);
}

}  // namespace

void add_float_operations(OpcodeTable& table) {
  table.add("add[.rn|.rz|.rm|.rp][.ftz][.sat].f32", &translate_f32<Add, 2>);
  table.add("sub[.rn|.rz|.rm|.rp][.ftz][.sat].f32", &translate_f32<Subtract, 2>);
  table.add("mul[.rn|.rz|.rm|.rp][.ftz][.sat].f32", &translate_f32<Multiply, 2>);
  table.add("fma(.rn|.rz|.rm|.rp)[.ftz][.sat].f32", &translate_f32<MultiplyAdd, 3>);
  table.add("mad(.rn|.rz|.rm|.rp)[.ftz][.sat].f32", &translate_f32<MultiplyAdd, 3>);
  table.add("div(.rn|.rz|.rm|.rp)[.ftz].f32", &translate_f32_unsaturated<Divide, 2>);
  table.add("rcp(.rn|.rz|.rm|.rp)[.ftz].f32", &translate_f32_unsaturated<Reciprocal, 1>);
  table.add("sqrt(.rn|.rz|.rm|.rp)[.ftz].f32", &translate_f32_unsaturated<SquareRoot, 1>);
  table.add("add[.rn|.rz|.rm|.rp].f64", &translate_f64<Add, 2>);
  table.add("sub[.rn|.rz|.rm|.rp].f64", &translate_f64<Subtract, 2>);
  table.add("mul[.rn|.rz|.rm|.rp].f64", &translate_f64<Multiply, 2>);
  table.add("fma(.rn|.rz|.rm|.rp).f64", &translate_f64<MultiplyAdd, 3>);
  table.add("mad(.rn|.rz|.rm|.rp).f64", &translate_f64<MultiplyAdd, 3>);
  table.add("div(.rn|.rz|.rm|.rp).f64", &translate_f64<Divide, 2>);
  table.add("rcp(.rn|.rz|.rm|.rp).f64", &translate_f64<Reciprocal, 1>);
  table.add("sqrt(.rn|.rz|.rm|.rp).f64", &translate_f64<SquareRoot, 1>);
}

}  // namespace lodestone::ptx
