// The CUDA half of engine/core/stream.h in a build without CUDA.
#include "engine/core/stream.h"

namespace lodestone {

bool cuda_available() {
  return false;
}

CudaStream& cuda_stream(Device) {
  throw_error(ErrorKind::kDevice,
              "this build has no CUDA backend; configure with LODESTONE_CUDA=ON");
}

}  // namespace lodestone
