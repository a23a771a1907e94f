// What cuda_allocator.cpp defines, in a build without CUDA.
#include "engine/memory/cuda_allocator.h"

namespace lodestone {

Allocator& cuda_allocator(Device) {
  throw_error(ErrorKind::kDevice, cuda_problem());
}

}  // namespace lodestone
