#pragma once
#include <string>
#include <type_traits>

#include "engine/core/dtype.h"
#include "engine/core/error.h"

namespace lodestone::kernels {

// The type arithmetic is done in, for elements stored as T.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The one dtype switch of the CPU kernels: calls f.operator()<T>() for the floating type.
template <class F>
decltype(auto) visit_floating_cpu(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kF32:
      return f.template operator()<float>();
    case DType::kF64:
      return f.template operator()<double>();
    case DType::kBf16:
      return f.template operator()<BFloat16>();
    default:
      throw_error(ErrorKind::kInvalidArgument,
                  std::string(name_of(dtype)) + " has no CPU kernel here");
  }
}

}  // namespace lodestone::kernels
