#pragma once
#include <cstddef>

#include "engine/core/stream.h"

namespace lodestone {

// Copies and fills of memory of any device, in order with the device's compute stream: a kernel
// launched before has done with the memory, one launched after sees the result. The host does not
// wait, except for what is copied to it.

// `from` may be changed or freed when it returns; what was copied to the host is there. Throws
// kDevice. Two CUDA devices: not supported (kInvalidArgument).
void copy_bytes(void* to, Device to_device, const void* from, Device from_device,
                std::size_t bytes);
// Sets each byte.
void fill_bytes(void* to, Device device, unsigned char byte, std::size_t bytes);
// Waits until the device has done everything it was given, and throws kDevice if something failed.
void synchronize(Device device);

}  // namespace lodestone
