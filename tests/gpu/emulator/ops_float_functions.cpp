// f32 and f64: signs, minimum and maximum, classification, and the approximate functions.
//
// The device's approximations are modelled by the host's library, which is more accurate: their
// results must be compared within the errors that the PTX manual states.
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U32 = std::uint32_t;
using U64 = std::uint64_t;

struct PowerOfTwo {
  float operator()(float a) const { return std::exp2(a); }
};
struct LogarithmOfTwo {
  float operator()(float a) const { return std::log2(a); }
};
struct Reciprocal {
  template <class T>
  T operator()(T a) const {
    return T{1} / a;
  }
};
struct ReciprocalRoot {
  template <class T>
  T operator()(T a) const {
    return T{1} / std::sqrt(a);
  }
};
struct SquareRoot {
  float operator()(float a) const { return std::sqrt(a); }
};
struct Sine {
  float operator()(float a) const { return std::sin(a); }
};
struct Cosine {
  float operator()(float a) const { return std::cos(a); }
};
struct HyperbolicTangent {
  float operator()(float a) const { return std::tanh(a); }
};
struct DivideFull {
  float operator()(float a, float b) const { return a / b; }
};
// div.approx goes through the reciprocal of b, which is zero once b is above 2^126.
struct DivideApproximately {
  float operator()(float a, float b) const {
    return std::fabs(b) > 0x1p126f && std::fabs(b) <= std::numeric_limits<float>::max()
               ? a * std::copysign(0.0f, b)
               : a / b;
  }
};
// The double-precision reciprocals work on the upper 32 bits: 20 bits of mantissa. Subnormal
// numbers are flushed.
template <class Function>
struct OnUpperHalf {
  double operator()(double a) const { return upper(Function{}(upper(a))); }
  static double upper(double value) {
    constexpr U64 kUpper = 0xffffffff00000000;
    if (std::fabs(value) < std::numeric_limits<double>::min()) return std::copysign(0.0, value);
    return std::bit_cast<double>(std::bit_cast<U64>(value) & kUpper);
  }
};

// The group of the form: .ftz.
template <class Function, std::size_t kSources>
void translate_f32(Translator& t, const Instruction& instruction, const Match& match,
                   Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 32);
  operation.handler = match.has(0) ? float_lanes<Function, float, kSources, true, false>
                                   : float_lanes<Function, float, kSources, false, false>;
}

template <class Function, std::size_t kSources>
void translate_f64(Translator& t, const Instruction& instruction, const Match& /*match*/,
                   Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 64);
  operation.handler = float_lanes<Function, double, kSources, false, false>;
}

// .xorsign.abs: the extremum of the magnitudes, with the product of the signs.
template <class Function>
struct OfMagnitudes {
  float operator()(float a, float b) const {
    const float value = Function{}(std::fabs(a), std::fabs(b));
    const U32 sign = (std::bit_cast<U32>(a) ^ std::bit_cast<U32>(b)) & 0x80000000;
    return value == value ? std::bit_cast<float>(std::bit_cast<U32>(value) | sign) : value;
  }
};

template <class Function>
Handler f32_extremum(bool flushes, bool magnitudes) {
  if (magnitudes) {
    return flushes ? float_lanes<OfMagnitudes<Function>, float, 2, true, false>
                   : float_lanes<OfMagnitudes<Function>, float, 2, false, false>;
  }
  return flushes ? float_lanes<Function, float, 2, true, false>
                 : float_lanes<Function, float, 2, false, false>;
}

// Groups of the form: .ftz, .NaN, .xorsign.abs.
template <bool kLargest>
void translate_extremum(Translator& t, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  translate_uniform(t, instruction, operation, 2, 32);
  operation.handler = match.has(1)
                          ? f32_extremum<Extremum<kLargest, true>>(match.has(0), match.has(2))
                          : f32_extremum<Extremum<kLargest, false>>(match.has(0), match.has(2));
}

// Signs are bits: NaN keeps its payload.
template <class T>
constexpr T kSign = T{1} << (8 * sizeof(T) - 1);

struct Negate {
  template <class T>
  T operator()(T a) const {
    return a ^ kSign<T>;
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    return a & ~kSign<T>;
  }
};
// The magnitude of b with the sign of a.
struct CopySign {
  template <class T>
  T operator()(T a, T b) const {
    return (b & ~kSign<T>) | (a & kSign<T>);
  }
};
template <class Function>
struct Flushed {
  U32 operator()(U32 a) const {
    return std::bit_cast<U32>(flush(std::bit_cast<float>(Function{}(a))));
  }
};

// Groups of the form: .ftz.
template <class Function>
void translate_f32_sign(Translator& t, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  translate_uniform(t, instruction, operation, 1, 32);
  operation.handler = match.has(0) ? unary<U32, U32, Flushed<Function>> : unary<U32, U32, Function>;
}

template <class Function>
void translate_f64_sign(Translator& t, const Instruction& instruction, const Match& /*match*/,
                        Operation& operation) {
  translate_uniform(t, instruction, operation, 1, 64);
  operation.handler = unary<U64, U64, Function>;
}

void translate_copysign(Translator& t, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  const U32 bits = type_bits(match[0]);
  translate_uniform(t, instruction, operation, 2, bits);
  operation.handler = bits == 32 ? binary<U32, U32, CopySign> : binary<U64, U64, CopySign>;
}

template <class T>
bool is_of_class(T value, std::string_view name) {
  if (name == "finite") return std::isfinite(value);
  if (name == "infinite") return std::isinf(value);
  if (name == "number") return !std::isnan(value);
  if (name == "notanumber") return std::isnan(value);
  if (name == "normal") return std::isnormal(value);
  return std::fpclassify(value) == FP_SUBNORMAL;
}

constexpr std::string_view kClasses[]{"finite",     "infinite", "number",
                                      "notanumber", "normal",   "subnormal"};

template <class T>
void test_property(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* a = warp.lanes<T>(operation.registers[1]);
  LaneMask result = 0;
  for (U32 lane = 0; lane < kLanes; ++lane) {
    result |= LaneMask{is_of_class(a[lane], kClasses[operation.modifiers])} << lane;
  }
  warp.set_predicate(operation.registers[0], result, mask);
}

void translate_test(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  t.expect_operands(2);
  operation.registers[0] = t.destination(instruction.operands[0], 1);
  operation.registers[1] = t.source(instruction.operands[1], type_bits(match[1]));
  while (kClasses[operation.modifiers] != match[0]) ++operation.modifiers;
  operation.handler = match[1] == "f32" ? test_property<float> : test_property<double>;
}

}  // namespace

void add_float_functions(OpcodeTable& table) {
  table.add("ex2.approx[.ftz].f32", &translate_f32<PowerOfTwo, 1>);
  table.add("lg2.approx[.ftz].f32", &translate_f32<LogarithmOfTwo, 1>);
  table.add("rcp.approx[.ftz].f32", &translate_f32<Reciprocal, 1>);
  table.add("rsqrt.approx[.ftz].f32", &translate_f32<ReciprocalRoot, 1>);
  table.add("sqrt.approx[.ftz].f32", &translate_f32<SquareRoot, 1>);
  table.add("sin.approx[.ftz].f32", &translate_f32<Sine, 1>);
  table.add("cos.approx[.ftz].f32", &translate_f32<Cosine, 1>);
  table.add("tanh.approx[].f32", &translate_f32<HyperbolicTangent, 1>);
  table.add("div.approx[.ftz].f32", &translate_f32<DivideApproximately, 2>);
  table.add("div.full[.ftz].f32", &translate_f32<DivideFull, 2>);
  table.add("rcp.approx.ftz.f64", &translate_f64<OnUpperHalf<Reciprocal>, 1>);
  table.add("rsqrt.approx.ftz.f64", &translate_f64<OnUpperHalf<ReciprocalRoot>, 1>);
  table.add("rsqrt.approx.f64", &translate_f64<ReciprocalRoot, 1>);
  table.add("min[.ftz][.NaN][.xorsign.abs].f32", &translate_extremum<false>);
  table.add("max[.ftz][.NaN][.xorsign.abs].f32", &translate_extremum<true>);
  table.add("min.f64", &translate_f64<Extremum<false, false>, 2>);
  table.add("max.f64", &translate_f64<Extremum<true, false>, 2>);
  table.add("neg[.ftz].f32", &translate_f32_sign<Negate>);
  table.add("abs[.ftz].f32", &translate_f32_sign<Absolute>);
  table.add("neg.f64", &translate_f64_sign<Negate>);
  table.add("abs.f64", &translate_f64_sign<Absolute>);
  table.add("copysign.(f32|f64)", &translate_copysign);
  table.add("testp.(finite|infinite|number|notanumber|normal|subnormal).(f32|f64)",
            &translate_test);
}

}  // namespace lodestone::ptx
