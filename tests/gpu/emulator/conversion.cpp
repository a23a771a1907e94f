#include "tests/gpu/emulator/conversion.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>

namespace lodestone::ptx {

namespace {

constexpr std::array kKinds{
    ScalarKind{"u8", 8},
    ScalarKind{"s8", 8, true},
    ScalarKind{"u16", 16},
    ScalarKind{"s16", 16, true},
    ScalarKind{"u32", 32},
    ScalarKind{"s32", 32, true},
    ScalarKind{"u64", 64},
    ScalarKind{"s64", 64, true},
    ScalarKind{"f16", 16, true, &kF16},
    ScalarKind{"bf16", 16, true, &kBf16},
    ScalarKind{"f32", 32, true, &kF32},
    ScalarKind{"f64", 64, true, &kF64},
};

std::uint64_t extended(std::uint64_t bits, const ScalarKind& kind) {
  if (kind.bits == 64) return bits;
  const std::uint64_t low = bits & ((std::uint64_t{1} << kind.bits) - 1);
  const bool negative = kind.is_signed && kind.format == nullptr && (low >> (kind.bits - 1)) != 0;
  return negative ? low | ~std::uint64_t{0} << kind.bits : low;
}

// Exact: the mantissa of a long double has 64 bits.
long double value_of(std::uint64_t bits, const Conversion& conversion) {
  const ScalarKind& kind = *conversion.from;
  if (kind.format == nullptr) {
    const std::uint64_t full = extended(bits, kind);
    return kind.is_signed ? static_cast<long double>(static_cast<std::int64_t>(full))
                          : static_cast<long double>(full);
  }
  const double value = decode(extended(bits, kind), *kind.format);
  const bool subnormal = std::fabs(value) < FLT_MIN && kind.format == &kF32;
  return conversion.flush && subnormal ? std::copysign(0.0, value) : value;
}

long double to_integral(long double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::kNearest:
      return std::nearbyint(value);
    case Rounding::kZero:
      return std::trunc(value);
    case Rounding::kDown:
      return std::floor(value);
    case Rounding::kUp:
      return std::ceil(value);
    case Rounding::kNearestAway:
      return std::round(value);
  }
  return value;
}

struct Range {
  long double least, most;
};

Range range_of(const ScalarKind& kind) {
  const long double span = std::ldexp(1.0L, static_cast<int>(kind.bits - (kind.is_signed ? 1 : 0)));
  return {kind.is_signed ? -span : 0.0L, span - 1};
}

// NaN becomes zero, or of 64 bits on either side the number with only the top bit.
std::uint64_t nan_as_integer(const Conversion& conversion) {
  const bool zero = conversion.from->format != &kF64 && conversion.to->bits != 64;
  return zero ? 0 : extended(std::uint64_t{1} << (conversion.to->bits - 1), *conversion.to);
}

std::uint64_t number_to_integer(const Conversion& conversion, std::uint64_t bits) {
  const long double value = value_of(bits, conversion);
  if (std::isnan(value)) return nan_as_integer(conversion);
  const Range range = range_of(*conversion.to);
  const long double whole =
      std::clamp(to_integral(value, conversion.rounding), range.least, range.most);
  return conversion.to->is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(whole))
                                  : static_cast<std::uint64_t>(whole);
}

std::uint64_t integer_to_integer(const Conversion& conversion, std::uint64_t bits) {
  const std::uint64_t value = extended(bits, *conversion.from);
  if (!conversion.saturate) return extended(value, *conversion.to);
  const Range range = range_of(*conversion.to);
  const long double clamped = std::clamp(value_of(bits, conversion), range.least, range.most);
  return conversion.to->is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(clamped))
                                  : static_cast<std::uint64_t>(clamped);
}

std::uint64_t to_number(const Conversion& conversion, std::uint64_t bits) {
  long double value = value_of(bits, conversion);
  if (conversion.to_integral) value = to_integral(value, conversion.rounding);
  if (conversion.saturate) value = value > 0 ? std::min(value, 1.0L) : 0.0L;
  if (conversion.relu && value < 0) value = 0;
  const NumberFormat& format = *conversion.to->format;
  const std::uint64_t result =
      encode(value, format, conversion.rounding, conversion.saturate_finite);
  const bool subnormal = &format == &kF32 && (result & 0x7f800000) == 0;
  return conversion.flush && subnormal ? result & 0x80000000 : result;
}

}  // namespace

const ScalarKind* scalar_kind(std::string_view name) {
  const auto* found = std::ranges::find(kKinds, name, &ScalarKind::name);
  return found == kKinds.end() ? nullptr : found;
}

std::uint64_t Conversion::operator()(std::uint64_t bits) const {
  if (to->format != nullptr) return to_number(*this, bits);
  return from->format != nullptr ? number_to_integer(*this, bits) : integer_to_integer(*this, bits);
}

}  // namespace lodestone::ptx
