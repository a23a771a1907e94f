#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/core/bfloat16.h"

namespace lodestone {

enum class DType : std::uint8_t { kF32, kBf16, kF64, kI32, kI64, kU8 };

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBf16:
      return 2;
    case DType::kU8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kBf16:
      return "bf16";
    case DType::kF64:
      return "f64";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kU8:
      return "u8";
  }
  return "?";
}

constexpr bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBf16 || dtype == DType::kF64;
}

// The type that sums over elements of `dtype` are kept in: statistics, losses and the gradients of
// parameters. f64 for f64, f32 for f32 and bf16.
constexpr DType accumulation_type(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

// The DType of a C++ element type.
template <class T>
inline constexpr DType kDTypeOf = T::has_no_dtype;
template <>
inline constexpr DType kDTypeOf<float> = DType::kF32;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::kBf16;
template <>
inline constexpr DType kDTypeOf<double> = DType::kF64;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kI32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::kI64;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::kU8;

}  // namespace lodestone
