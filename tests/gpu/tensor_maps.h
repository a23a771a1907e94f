#pragma once
// Tensor maps for tests, through the driver's entry point as an application gets it.
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <vector>

#include "engine/core/check.h"
#include "engine/core/cuda.h"

namespace lodestone::testing {

struct TensorOfDevice {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  void* data = nullptr;
  std::vector<cuuint64_t> sizes;    // elements, innermost first
  std::vector<cuuint64_t> strides;  // bytes, of all but the innermost
  std::vector<cuuint32_t> box;
};

inline CUtensorMap tensor_map(const TensorOfDevice& tensor, CUtensorMapSwizzle swizzle) {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  cuda_check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000,
                                              cudaEnableDefault, &found));
  check(found == cudaDriverEntryPointSuccess, "cuTensorMapEncodeTiled is not there");
  const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(entry);
  const std::vector<cuuint32_t> steps(tensor.sizes.size(), 1);
  CUtensorMap map;
  const CUresult result =
      encode(&map, tensor.type, static_cast<cuuint32_t>(tensor.sizes.size()), tensor.data,
             tensor.sizes.data(), tensor.strides.data(), tensor.box.data(), steps.data(),
             CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  check(result == CUDA_SUCCESS, "cuTensorMapEncodeTiled answers {}", static_cast<int>(result));
  return map;
}

}  // namespace lodestone::testing
