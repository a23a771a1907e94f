#pragma once
#include <cuda_bf16.h>

#include <cstdint>
#include <string>

#include "engine/core/dtype.h"
#include "engine/core/error.h"

namespace lodestone::kernels {

// The one dtype switch of the CUDA kernels: calls f.operator()<T>() for the floating type.
template <class F>
decltype(auto) visit_floating_cuda(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kF32:
      return f.template operator()<float>();
    case DType::kBf16:
      return f.template operator()<__nv_bfloat16>();
    default:
      throw_error(ErrorKind::kInvalidArgument,
                  std::string(name_of(dtype)) + " has no CUDA kernel here");
  }
}

template <class... Pointer>
bool aligned_to_16_bytes(const Pointer*... pointers) {
  return (... && (reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0));
}

// Whether rows of `cols` elements may be moved in accesses of 16 bytes, as far as these pointers
// go.
template <class T, class... Pointer>
bool in_16_bytes(std::int64_t cols, const Pointer*... rows) {
  return aligned_to_16_bytes(rows...) && cols % (16 / static_cast<std::int64_t>(sizeof(T))) == 0;
}

}  // namespace lodestone::kernels
