// f16 and bf16 arithmetic, single and in pairs. Every operation is formed in f64, exactly or
// rounded to odd, and rounded once to the format.
#include <cmath>
#include <cstdint>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;

struct Half {
  static double value(U16 bits) { return f16_value(bits); }
  static U16 bits(double value) { return static_cast<U16>(encode(value, kF16)); }
  static constexpr U16 kSmallestNormal = 0x0400;
};
struct Brain {
  static double value(U16 bits) { return bf16_value(bits); }
  static U16 bits(double value) { return static_cast<U16>(encode(value, kBf16)); }
  static constexpr U16 kSmallestNormal = 0x0080;
};

struct Add {
  double operator()(double a, double b) const { return add_to_odd(a, b); }
};
struct Subtract {
  double operator()(double a, double b) const { return add_to_odd(a, -b); }
};
struct Multiply {
  double operator()(double a, double b) const { return a * b; }
};
struct MultiplyAdd {
  double operator()(double a, double b, double c) const { return add_to_odd(a * b, c); }
};
struct PowerOfTwo {
  double operator()(double a) const { return std::exp2(a); }
};
struct HyperbolicTangent {
  double operator()(double a) const { return std::tanh(a); }
};

// Operation::modifiers.
enum HalfModifier : U32 { kFlush = 1, kSaturate = 2, kRelu = 4 };

template <class Format>
U16 flushed(U16 bits, U32 modifiers) {
  const bool subnormal = (bits & 0x7fff) < Format::kSmallestNormal;
  return (modifiers & kFlush) != 0 && subnormal ? static_cast<U16>(bits & 0x8000) : bits;
}

template <class Format>
U16 finished(double value, U32 modifiers) {
  if ((modifiers & kSaturate) != 0) value = value > 0 ? std::fmin(value, 1.0) : 0.0;
  if ((modifiers & kRelu) != 0 && value < 0) value = 0.0;
  return flushed<Format>(Format::bits(value), modifiers);
}

template <class Format, class Function, std::size_t kSources>
U16 half_lane(const U16 (&sources)[3], U32 modifiers) {
  double value[3]{};
  for (std::size_t i = 0; i < kSources; ++i) {
    value[i] = Format::value(flushed<Format>(sources[i], modifiers));
  }
  if constexpr (kSources == 1) {
    return finished<Format>(Function{}(value[0]), modifiers);
  } else if constexpr (kSources == 2) {
    return finished<Format>(Function{}(value[0], value[1]), modifiers);
  } else {
    return finished<Format>(Function{}(value[0], value[1], value[2]), modifiers);
  }
}

// kPair: lanes of 32 bits hold two numbers.
template <class Format, class Function, std::size_t kSources, bool kPair>
void half_lanes(Warp& warp, const Operation& operation, LaneMask mask) {
  constexpr U32 kParts = kPair ? 2 : 1;
  U16* to = warp.lanes<U16>(operation.registers[0]);
  const U16* from[3]{};
  for (std::size_t i = 0; i < kSources; ++i) from[i] = warp.lanes<U16>(operation.registers[i + 1]);
  for (U32 part = 0; part < kParts; ++part) {
    for_lanes(mask, [&](U32 lane) {
      const U32 at = lane * kParts + part;
      U16 sources[3]{};
      for (std::size_t i = 0; i < kSources; ++i) sources[i] = from[i][at];
      to[at] = half_lane<Format, Function, kSources>(sources, operation.modifiers);
    });
  }
}

template <class Function, std::size_t kSources>
Handler half_handler(std::string_view type) {
  static constexpr TypedHandler kHandlers[]{
      {"f16", half_lanes<Half, Function, kSources, false>},
      {"f16x2", half_lanes<Half, Function, kSources, true>},
      {"bf16", half_lanes<Brain, Function, kSources, false>},
      {"bf16x2", half_lanes<Brain, Function, kSources, true>},
  };
  return handler_for(kHandlers, type);
}

U32 modifier_bits(std::string_view name) {
  if (name == ".ftz") return kFlush;
  if (name == ".sat") return kSaturate;
  return name == ".relu" ? U32{kRelu} : 0;
}

// Groups of the form: two modifiers, the type.
template <class Function, std::size_t kSources>
void translate_half(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const std::string_view type = match[2];
  translate_uniform(t, instruction, operation, kSources, type.ends_with("x2") ? 32 : 16);
  operation.modifiers = modifier_bits(match[0]) | modifier_bits(match[1]);
  operation.handler = half_handler<Function, kSources>(type);
}

template <bool kLargest>
struct ExtremumOfMagnitudes {
  double operator()(double a, double b) const {
    const double value = Extremum<kLargest, false>{}(std::fabs(a), std::fabs(b));
    return std::signbit(a) != std::signbit(b) ? -value : value;
  }
};

// Groups of the form: .ftz, .NaN, .xorsign.abs, the type.
template <bool kLargest>
void translate_extremum(Translator& t, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  const std::string_view type = match[3];
  translate_uniform(t, instruction, operation, 2, type.ends_with("x2") ? 32 : 16);
  operation.modifiers = modifier_bits(match[0]);
  if (match.has(1) && match.has(2)) t.refuse(".NaN together with .xorsign.abs");
  operation.handler = match.has(2)   ? half_handler<ExtremumOfMagnitudes<kLargest>, 2>(type)
                      : match.has(1) ? half_handler<Extremum<kLargest, true>, 2>(type)
                                     : half_handler<Extremum<kLargest, false>, 2>(type);
}

// Signs are bits; .ftz flushes before.
template <bool kNegate>
void half_sign(Warp& warp, const Operation& operation, LaneMask mask) {
  const U32 parts = operation.bytes / 2;
  U16* to = warp.lanes<U16>(operation.registers[0]);
  const U16* a = warp.lanes<U16>(operation.registers[1]);
  for_lanes(mask, [&](U32 lane) {
    for (U32 at = lane * parts; at < (lane + 1) * parts; ++at) {
      const U16 bits = flushed<Half>(a[at], operation.modifiers);
      to[at] = static_cast<U16>(kNegate ? bits ^ 0x8000 : bits & 0x7fff);
    }
  });
}

// Groups of the form: .ftz, the type.
template <bool kNegate>
void translate_sign(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  operation.bytes = match[1].ends_with("x2") ? 4 : 2;
  translate_uniform(t, instruction, operation, 1, 8 * operation.bytes);
  operation.modifiers = modifier_bits(match[0]);
  operation.handler = half_sign<kNegate>;
}

}  // namespace

void add_half_operations(OpcodeTable& table) {
  for (const auto& [name, translation] : {std::pair{"add", &translate_half<Add, 2>},
                                          {"sub", &translate_half<Subtract, 2>},
                                          {"mul", &translate_half<Multiply, 2>}}) {
    const std::string stem = name;
    table.add(stem + "[.ftz][.sat].(f16|f16x2)", translation);
    table.add(stem + ".rn[.ftz][.sat].(f16|f16x2)", translation);
    table.add(stem + "[][].(bf16|bf16x2)", translation);
    table.add(stem + ".rn[][].(bf16|bf16x2)", translation);
  }
  table.add("fma.rn[.ftz][.sat|.relu].(f16|f16x2)", &translate_half<MultiplyAdd, 3>);
  table.add("fma.rn[][.relu].(bf16|bf16x2)", &translate_half<MultiplyAdd, 3>);
  table.add("ex2.approx[][].(f16|f16x2)", &translate_half<PowerOfTwo, 1>);
  table.add("ex2.approx(.ftz)[].(bf16|bf16x2)", &translate_half<PowerOfTwo, 1>);
  table.add("tanh.approx[][].(f16|f16x2|bf16|bf16x2)", &translate_half<HyperbolicTangent, 1>);
  table.add("min[.ftz][.NaN][.xorsign.abs].(f16|f16x2)", &translate_extremum<false>);
  table.add("max[.ftz][.NaN][.xorsign.abs].(f16|f16x2)", &translate_extremum<true>);
  table.add("min[][.NaN][.xorsign.abs].(bf16|bf16x2)", &translate_extremum<false>);
  table.add("max[][.NaN][.xorsign.abs].(bf16|bf16x2)", &translate_extremum<true>);
  table.add("neg[.ftz].(f16|f16x2)", &translate_sign<true>);
  table.add("abs[.ftz].(f16|f16x2)", &translate_sign<false>);
  table.add("neg[].(bf16|bf16x2)", &translate_sign<true>);
  table.add("abs[].(bf16|bf16x2)", &translate_sign<false>);
}

}  // namespace lodestone::ptx
