#include "engine/core/cuda.h"

#include <nvtx3/nvToolsExt.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "engine/core/cuda_device.h"
#include "engine/core/cuda_memory.h"
#include "engine/core/log.h"

namespace lodestone {

namespace {

void log_failure(const char* call, cudaError_t status) {
  if (status != cudaSuccess) log::error("{}: {}", call, cudaGetErrorString(status));
}

// Page-locked memory through which small arrays go to the device while the host goes on. It has two
// halves: one is filled while copies from the other are under way.
class Staging {
 public:
  Staging() {
    for (Half& half : halves_) {
      cuda_check(cudaMallocHost(&half.memory, kHalfBytes));
      cuda_check(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming));
    }
  }
  ~Staging() {
    for (const Half& half : halves_) {
      log_failure("cudaEventDestroy", cudaEventDestroy(half.copied));
      log_failure("cudaFreeHost", cudaFreeHost(half.memory));
    }
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  bool takes(std::size_t bytes) const { return bytes <= kHalfBytes; }

  void copy(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
    if (used_ + bytes > kHalfBytes) turn(stream);
    void* place = static_cast<char*>(halves_[current_].memory) + used_;
    std::memcpy(place, from, bytes);
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    cuda_check(cudaMemcpyAsync(to, place, bytes, cudaMemcpyHostToDevice, stream));
  }

 private:
  static constexpr std::size_t kHalfBytes = 16 << 20, kAlignment = 64;
  struct Half {
    void* memory = nullptr;
    cudaEvent_t copied = nullptr;
  };

  // Waits for the device only if it is a whole half behind.
  void turn(cudaStream_t stream) {
    cuda_check(cudaEventRecord(halves_[current_].copied, stream));
    current_ = 1 - current_;
    cuda_check(cudaEventSynchronize(halves_[current_].copied));
    used_ = 0;
  }

  std::array<Half, 2> halves_;
  std::size_t current_ = 0, used_ = 0;
};

struct OpenDevice {
  explicit OpenDevice(int index) : stream(index) {}
  CudaStream stream;
  Staging staging;
};

OpenDevice& open(Device device) {
  static std::map<int, std::unique_ptr<OpenDevice>> devices;
  auto& opened = devices[device.index];
  if (opened) return *opened;
  if (const std::string problem = cuda_problem(); !problem.empty())
    throw_error(ErrorKind::kDevice, problem);
  if (device.index >= cuda_device_count())
    throw_error(ErrorKind::kDevice, "there is no " + device.text() + ": this machine has " +
                                        std::to_string(cuda_device_count()) + " CUDA devices");
  opened = std::make_unique<OpenDevice>(device.index);
  return *opened;
}

cudaStream_t native(Device device) {
  return open(device).stream.native();
}

}  // namespace

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
  log_failure("cudaStreamDestroy", cudaStreamDestroy(stream_));
}

int cuda_device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::string cuda_problem() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess)
    return std::string("no CUDA device can be used here: ") + cudaGetErrorString(status);
  return count > 0 ? "" : "no CUDA device on this machine";
}

CudaStream& cuda_stream(Device device) {
  return open(device).stream;
}

void copy_to_cuda(void* to, Device device, const void* from, std::size_t bytes) {
  OpenDevice& opened = open(device);
  const cudaStream_t stream = opened.stream.native();
  if (opened.staging.takes(bytes)) return opened.staging.copy(to, from, bytes, stream);
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
  cuda_check(cudaStreamSynchronize(stream));
}

void copy_from_cuda(void* to, const void* from, Device device, std::size_t bytes) {
  const cudaStream_t stream = native(device);
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream));
  cuda_check(cudaStreamSynchronize(stream));
}

void copy_within_cuda(void* to, const void* from, Device device, std::size_t bytes) {
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native(device)));
}

void fill_cuda(void* to, Device device, unsigned char byte, std::size_t bytes) {
  cuda_check(cudaMemsetAsync(to, byte, bytes, native(device)));
}

void synchronize_cuda(Device device) {
  cuda_check(cudaStreamSynchronize(native(device)));
}

std::string cuda_device_name(Device device) {
  cudaDeviceProp properties{};
  cuda_check(cudaGetDeviceProperties(&properties, device.index));
  return properties.name;
}

std::shared_ptr<void> record_cuda_event(Device device) {
  cudaEvent_t event = nullptr;
  cuda_check(cudaEventCreate(&event));
  std::shared_ptr<void> owned(
      event, [](cudaEvent_t old) { log_failure("cudaEventDestroy", cudaEventDestroy(old)); });
  cuda_check(cudaEventRecord(event, native(device)));
  return owned;
}

void wait_for_cuda_event(void* event) {
  cuda_check(cudaEventSynchronize(static_cast<cudaEvent_t>(event)));
}

double seconds_between_cuda_events(void* first, void* second) {
  float milliseconds = 0;
  cuda_check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(first),
                                  static_cast<cudaEvent_t>(second)));
  return 1e-3 * static_cast<double>(milliseconds);
}

void push_profiler_range(const char* name) {
  nvtxRangePushA(name);
}

void pop_profiler_range() {
  nvtxRangePop();
}

}  // namespace lodestone
