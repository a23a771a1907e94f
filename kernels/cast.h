#pragma once
// to = from, element by element, rounded to the nearest of the other floating type.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

struct CastArgs {
  const void* from;  // [count]
  void* to;          // [count]
  std::int64_t count;
  DType from_dtype, to_dtype;  // f32, bf16; on the CPU f64 too
};
void run(const CastArgs& args, CpuStream& stream);
void run(const CastArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
