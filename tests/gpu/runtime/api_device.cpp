// The device as programs see it: properties and attributes, errors, the driver's entry points.
#include <cuda.h>

#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/tensor_map.h"
#include "tests/gpu/runtime/device_state.h"

namespace {

using lodestone::ptx::device;

// A device of compute capability 9.0. It has few multiprocessors, so that kernels which fill the
// device stay small.
constexpr int kMultiprocessors = 4;
constexpr int kSharedPerMultiprocessor = 228 * 1024;
constexpr int kVersion = 13000;

struct AttributeValue {
  cudaDeviceAttr attribute;
  int value;
};

constexpr AttributeValue kAttributes[]{
    {cudaDevAttrComputeCapabilityMajor, 9},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrMultiProcessorCount, kMultiprocessors},
    {cudaDevAttrWarpSize, 32},
    {cudaDevAttrMaxThreadsPerBlock, 1024},
    {cudaDevAttrMaxBlockDimX, 1024},
    {cudaDevAttrMaxBlockDimY, 1024},
    {cudaDevAttrMaxBlockDimZ, 64},
    {cudaDevAttrMaxGridDimX, 0x7fffffff},
    {cudaDevAttrMaxGridDimY, 65535},
    {cudaDevAttrMaxGridDimZ, 65535},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrMaxBlocksPerMultiprocessor, 32},
    {cudaDevAttrMaxRegistersPerBlock, 65536},
    {cudaDevAttrMaxRegistersPerMultiprocessor, 65536},
    {cudaDevAttrMaxSharedMemoryPerBlock, 48 * 1024},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 * 1024},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, kSharedPerMultiprocessor},
    {cudaDevAttrReservedSharedMemoryPerBlock, 1024},
    {cudaDevAttrL2CacheSize, 50 * 1024 * 1024},
    {cudaDevAttrClockRate, 1'000'000},
    {cudaDevAttrMemoryPoolsSupported, 1},
    {cudaDevAttrUnifiedAddressing, 1},
    {cudaDevAttrConcurrentKernels, 1},
    {cudaDevAttrCooperativeLaunch, 0},
    {cudaDevAttrTotalConstantMemory, 64 * 1024},
};

CUresult encode_tiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                      const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                      const cuuint32_t* steps, CUtensorMapInterleave interleave,
                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                      CUtensorMapFloatOOBfill fill) {
  static_assert(sizeof(cuuint64_t) == sizeof(std::uint64_t));
  try {
    lodestone::ptx::TensorMap::encode(type, rank, address, sizes, strides, box, steps, interleave,
                                      swizzle, promotion, fill)
        .write(map);
    return CUDA_SUCCESS;
  } catch (const lodestone::Error& error) {
    device().fail(cudaErrorInvalidValue, error.what());
    return CUDA_ERROR_INVALID_VALUE;
  }
}

cudaError_t entry_point(const char* symbol, void** function,
                        cudaDriverEntryPointQueryResult* status) {
  const bool known = std::strcmp(symbol, "cuTensorMapEncodeTiled") == 0;
  *function = known ? reinterpret_cast<void*>(&encode_tiled) : nullptr;
  if (status != nullptr) {
    *status = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  }
  return device().sticky();
}

// Names and descriptions of the errors that this runtime gives.
struct ErrorName {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorName kErrors[]{
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidSymbol, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {cudaErrorMissingConfiguration, "cudaErrorMissingConfiguration",
     "launch without a configuration"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidPtx, "cudaErrorInvalidPtx", "PTX that the instrument cannot run"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch did not end"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "the launch failed"},
    {cudaErrorAssert, "cudaErrorAssert", "device-side assert triggered"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
};

const ErrorName* known_error(cudaError_t error) {
  for (const ErrorName& each : kErrors) {
    if (each.error == error) return &each;
  }
  return nullptr;
}

}  // namespace

extern "C" {

// The names are the runtime's. NOLINTBEGIN(readability-identifier-naming)

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* number) {
  *number = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int number) {
  return number == 0 ? device().sticky() : device().fail(cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceSynchronize() {
  return device().sticky();
}
cudaError_t cudaDeviceReset() {
  device().reset();
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  for (const AttributeValue& each : kAttributes) {
    if (each.attribute != attribute) continue;
    *value = each.value;
    return device().sticky();
  }
  *value = 0;
  return device().sticky();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {};
  std::strncpy(properties->name, "lodestone PTX interpreter", sizeof properties->name - 1);
  properties->major = 9;
  properties->minor = 0;
  properties->multiProcessorCount = kMultiprocessors;
  properties->warpSize = 32;
  properties->totalGlobalMem = device().memory().total_bytes();
  properties->sharedMemPerBlock = std::size_t{48} * 1024;
  properties->sharedMemPerBlockOptin = std::size_t{227} * 1024;
  properties->sharedMemPerMultiprocessor = kSharedPerMultiprocessor;
  properties->maxThreadsPerBlock = 1024;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->maxBlocksPerMultiProcessor = 32;
  properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
  properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
  properties->maxThreadsDim[2] = 64;
  properties->maxGridSize[0] = 0x7fffffff;
  properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
  properties->unifiedAddressing = 1;
  properties->memoryPoolsSupported = 1;
  properties->l2CacheSize = 50 * 1024 * 1024;
  return device().sticky();
}

cudaError_t cudaGetLastError() {
  return device().take_last_error();
}
cudaError_t cudaPeekAtLastError() {
  return device().last_error();
}

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorName* known = known_error(error);
  return known == nullptr ? "unrecognized error code" : known->name;
}
// For an error that has happened, what the instrument knows of it.
const char* cudaGetErrorString(cudaError_t error) {
  const std::string_view text = device().text_of(error);
  if (!text.empty()) return text.data();
  const ErrorName* known = known_error(error);
  return known == nullptr ? "unrecognized error code" : known->text;
}

cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function,
                                    unsigned long long /*flags*/,
                                    cudaDriverEntryPointQueryResult* status) {
  return entry_point(symbol, function, status);
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function,
                                             unsigned /*version*/, unsigned long long /*flags*/,
                                             cudaDriverEntryPointQueryResult* status) {
  return entry_point(symbol, function, status);
}

cudaError_t cudaDeviceSetLimit(cudaLimit /*limit*/, std::size_t /*value*/) {
  return device().sticky();
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int /*device*/, int /*peer*/) {
  *can = 0;
  return device().sticky();
}

// NOLINTEND(readability-identifier-naming)

}  // extern "C"
