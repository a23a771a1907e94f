#include "engine/core/cuda.h"

#include <map>
#include <memory>
#include <string>

#include "engine/core/log.h"

namespace lodestone {

void cuda_check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) [[likely]]
    return;
  throw_error(status == cudaErrorMemoryAllocation ? ErrorKind::kOutOfMemory : ErrorKind::kDevice,
              std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status), where);
}

CudaStream::CudaStream(int device) {
  cuda_check(cudaSetDevice(device));
  cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

CudaStream::~CudaStream() {
  if (const cudaError_t status = cudaStreamDestroy(stream_); status != cudaSuccess)
    log::error("cudaStreamDestroy: {}", cudaGetErrorString(status));
}

bool cuda_available() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

CudaStream& cuda_stream(Device device) {
  static std::map<int, std::unique_ptr<CudaStream>> streams;
  if (!cuda_available()) throw_error(ErrorKind::kDevice, "no CUDA device on this machine");
  auto& stream = streams[device.index];
  if (!stream) stream = std::make_unique<CudaStream>(device.index);
  return *stream;
}

}  // namespace lodestone
