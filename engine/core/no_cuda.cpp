// What engine/core/cuda.cpp defines, in a build without CUDA.
#include "engine/core/cuda_device.h"
#include "engine/core/cuda_memory.h"

namespace lodestone {

namespace {

[[noreturn]] void refuse() {
  throw_error(ErrorKind::kDevice, cuda_problem());
}

}  // namespace

int cuda_device_count() {
  return 0;
}

std::string cuda_problem() {
  return "this build has no CUDA backend: build it where nvcc of CUDA 13 is installed";
}

CudaStream& cuda_stream(Device) {
  refuse();
}

void copy_to_cuda(void*, Device, const void*, std::size_t) {
  refuse();
}

void copy_from_cuda(void*, const void*, Device, std::size_t) {
  refuse();
}

void copy_within_cuda(void*, const void*, Device, std::size_t) {
  refuse();
}

void fill_cuda(void*, Device, unsigned char, std::size_t) {
  refuse();
}

void synchronize_cuda(Device) {
  refuse();
}

std::string cuda_device_name(Device) {
  refuse();
}

std::shared_ptr<void> record_cuda_event(Device) {
  refuse();
}

void wait_for_cuda_event(void*) {
  refuse();
}

double seconds_between_cuda_events(void*, void*) {
  refuse();
}

void push_profiler_range(const char*) {}

void pop_profiler_range() {}

}  // namespace lodestone
