// Streams and events. Everything runs when it is issued: a stream is only a name, and an event the
// time at which it was recorded.
#include <chrono>

#include "tests/gpu/runtime/device_state.h"

// What the opaque types of the runtime point to.
struct CUstream_st {
  unsigned flags = 0;
  int priority = 0;
};
struct CUevent_st {
  std::chrono::steady_clock::time_point recorded;
};

namespace {

using lodestone::ptx::device;
using lodestone::ptx::run_call;

cudaError_t create_stream(cudaStream_t* stream, unsigned flags, int priority) {
  return run_call([&] {
    *stream = new CUstream_st{flags, priority};
    return cudaSuccess;
  });
}

cudaError_t create_event(cudaEvent_t* event) {
  return run_call([&] {
    *event = new CUevent_st{std::chrono::steady_clock::now()};
    return cudaSuccess;
  });
}

cudaError_t record(cudaEvent_t event) {
  return run_call([&] {
    event->recorded = std::chrono::steady_clock::now();
    return cudaSuccess;
  });
}

}  // namespace

extern "C" {

// The names are the runtime's. NOLINTBEGIN(readability-identifier-naming)

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return create_stream(stream, 0, 0);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return create_stream(stream, flags, 0);
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create_stream(stream, flags, priority);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return device().sticky();
}
cudaError_t cudaStreamSynchronize(cudaStream_t /*stream*/) {
  return device().sticky();
}
cudaError_t cudaStreamQuery(cudaStream_t /*stream*/) {
  return device().sticky();
}
cudaError_t cudaStreamGetDevice(cudaStream_t /*stream*/, int* number) {
  *number = 0;
  return device().sticky();
}
cudaError_t cudaStreamWaitEvent(cudaStream_t /*stream*/, cudaEvent_t /*event*/,
                                unsigned /*flags*/) {
  return device().sticky();
}
cudaError_t cudaStreamIsCapturing(cudaStream_t /*stream*/, cudaStreamCaptureStatus* status) {
  *status = cudaStreamCaptureStatusNone;
  return device().sticky();
}
cudaError_t cudaLaunchHostFunc(cudaStream_t /*stream*/, cudaHostFn_t function, void* data) {
  return run_call([&] {
    function(data);
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return device().sticky();
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return create_event(event);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  return create_event(event);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return device().sticky();
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t /*stream*/) {
  return record(event);
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t /*stream*/,
                                     unsigned /*flags*/) {
  return record(event);
}
cudaError_t cudaEventSynchronize(cudaEvent_t /*event*/) {
  return device().sticky();
}
cudaError_t cudaEventQuery(cudaEvent_t /*event*/) {
  return device().sticky();
}
// Milliseconds on the host.
cudaError_t cudaEventElapsedTime(float* time, cudaEvent_t begin, cudaEvent_t end) {
  *time = std::chrono::duration<float, std::milli>(end->recorded - begin->recorded).count();
  return device().sticky();
}

// NOLINTEND(readability-identifier-naming)

}  // extern "C"
