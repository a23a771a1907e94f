#pragma once
// One number read, rounded and written, whatever the two types are: the definition of `cvt`.
#include <cstdint>
#include <string_view>

#include "tests/gpu/emulator/number_formats.h"

namespace lodestone::ptx {

struct ScalarKind {
  std::string_view name;
  std::uint32_t bits = 0;
  bool is_signed = false;
  const NumberFormat* format = nullptr;  // null for integers
};

// Null for a name that is no scalar type of `cvt`.
const ScalarKind* scalar_kind(std::string_view name);

struct Conversion {
  const ScalarKind* to = nullptr;
  const ScalarKind* from = nullptr;
  Rounding rounding = Rounding::kNearest;
  bool to_integral = false;  // .rni, .rzi, .rmi, .rpi
  bool flush = false;        // subnormal f32 become zero
  bool saturate = false;     // numbers to [0, 1], integers to the range of the type
  bool saturate_finite = false;
  bool relu = false;  // negative numbers become zero

  // The bits of the result, extended to 64 with the sign of a signed integer.
  std::uint64_t operator()(std::uint64_t bits) const;
};

}  // namespace lodestone::ptx
