#include "engine/core/stream.h"

namespace lodestone {

CpuStream& cpu_stream() {
  static CpuStream stream;
  return stream;
}

}  // namespace lodestone
