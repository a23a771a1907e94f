#pragma once
// What is asked of CUDA besides memory: in cuda.cpp, or in no_cuda.cpp, which throws.
#include <memory>
#include <string>

#include "engine/core/stream.h"

namespace lodestone {

// As the driver names it: "NVIDIA H200".
std::string cuda_device_name(Device device);

// An event on the device's compute stream, recorded now; the host does not wait.
std::shared_ptr<void> record_cuda_event(Device device);
void wait_for_cuda_event(void* event);
// Of two events that have happened.
double seconds_between_cuda_events(void* first, void* second);

// Named ranges of the calling thread on the timelines of NVIDIA's profilers (NVTX). Without a
// profiler: a branch; without CUDA: nothing.
void push_profiler_range(const char* name);
void pop_profiler_range();

}  // namespace lodestone
