#pragma once
// A function of floating-point lanes with the modifiers .ftz and .sat.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/gpu/emulator/lanes.h"

namespace lodestone::ptx {

inline constexpr float kNan32 = std::bit_cast<float>(0x7fffffffu);  // what f32 operations give

// Subnormal numbers become zero of their sign.
inline float flush(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}

template <bool kFlush, class T>
T operand_lane(T value) {
  if constexpr (kFlush) {
    return flush(value);
  } else {
    return value;
  }
}

// f32 has one NaN for results; .sat clamps to [0, 1], and NaN to zero.
template <bool kFlush, bool kSaturate>
float result_lane(float value) {
  if (kSaturate) return value > 0.0f ? (value < 1.0f ? operand_lane<kFlush>(value) : 1.0f) : 0.0f;
  const float number = value == value ? value : kNan32;
  return operand_lane<kFlush>(number);
}
template <bool kFlush, bool kSaturate>
double result_lane(double value) {
  return value;
}

template <class Function, class T, std::size_t kSources, bool kFlush, bool kSaturate>
void float_lanes(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  if constexpr (kSources == 1) {
    for_lanes(mask, [&](std::uint32_t lane) {
      to[lane] = result_lane<kFlush, kSaturate>(Function{}(operand_lane<kFlush>(a[lane])));
    });
  } else if constexpr (kSources == 2) {
    const T* b = warp.lanes<T>(operation.registers[2]);
    for_lanes(mask, [&](std::uint32_t lane) {
      to[lane] = result_lane<kFlush, kSaturate>(
          Function{}(operand_lane<kFlush>(a[lane]), operand_lane<kFlush>(b[lane])));
    });
  } else {
    const T* b = warp.lanes<T>(operation.registers[2]);
    const T* c = warp.lanes<T>(operation.registers[3]);
    for_lanes(mask, [&](std::uint32_t lane) {
      to[lane] = result_lane<kFlush, kSaturate>(Function{}(operand_lane<kFlush>(a[lane]),
                                                           operand_lane<kFlush>(b[lane]),
                                                           operand_lane<kFlush>(c[lane])));
    });
  }
}

// The number that is smaller or larger; of zeros, the negative one is smaller. A NaN loses against
// a number, or wins with kNan.
template <bool kLargest, bool kNan>
struct Extremum {
  template <class T>
  T operator()(T a, T b) const {
    const T ordered = kLargest ? (a > b ? a : b) : (a < b ? a : b);
    const bool first = std::signbit(a) != kLargest;  // of two equal ones, which differ if zeros
    const T number = a == b ? (first ? a : b) : ordered;
    const bool a_nan = a != a, b_nan = b != b;
    const T nan = std::numeric_limits<T>::quiet_NaN();
    if (kNan) return a_nan || b_nan ? nan : number;
    return a_nan ? (b_nan ? nan : b) : (b_nan ? a : number);
  }
};

}  // namespace lodestone::ptx
