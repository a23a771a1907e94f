#include "engine/core/device_memory.h"

#include <cstring>

#include "engine/core/cuda_memory.h"

namespace lodestone {

void copy_bytes(void* to, Device to_device, const void* from, Device from_device,
                std::size_t bytes) {
  if (bytes == 0 || to == from) return;
  if (to_device.is_cpu() && from_device.is_cpu())
    std::memcpy(to, from, bytes);
  else if (from_device.is_cpu())
    copy_to_cuda(to, to_device, from, bytes);
  else if (to_device.is_cpu())
    copy_from_cuda(to, from, from_device, bytes);
  else if (to_device == from_device)
    copy_within_cuda(to, from, to_device, bytes);
  else
    throw_error(ErrorKind::kInvalidArgument,
                "memory cannot be copied from " + from_device.text() + " to " + to_device.text());
}

void fill_bytes(void* to, Device device, unsigned char byte, std::size_t bytes) {
  if (bytes == 0) return;
  if (device.is_cpu())
    std::memset(to, byte, bytes);
  else
    fill_cuda(to, device, byte, bytes);
}

void synchronize(Device device) {
  if (!device.is_cpu()) synchronize_cuda(device);
}

}  // namespace lodestone
