#pragma once
// The CUDA half of engine/core/device_memory.h: in cuda.cpp, or in no_cuda.cpp, which throws.
#include <cstddef>

#include "engine/core/stream.h"

namespace lodestone {

void copy_to_cuda(void* to, Device device, const void* from, std::size_t bytes);
void copy_from_cuda(void* to, const void* from, Device device, std::size_t bytes);
void copy_within_cuda(void* to, const void* from, Device device, std::size_t bytes);
void fill_cuda(void* to, Device device, unsigned char byte, std::size_t bytes);
void synchronize_cuda(Device device);

}  // namespace lodestone
