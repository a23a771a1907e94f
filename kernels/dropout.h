#pragma once
// Which elements of a [rows, cols] array a dropout keeps, and the map itself: the same forward (x
// to y) and backward (dy to dx). The mask is recomputed where it is needed and never stored.
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/philox.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

// Element (r, c) is dropped iff word c % 4 of key.at(row_keys[r], c / 4) is below `threshold`; the
// rest is multiplied by `scale`.
struct DropoutMask {
  bool enabled;
  const std::int64_t* row_keys;  // [rows]; not read unless enabled
  RandomKey key;
  std::uint32_t threshold;
  double scale;
};

struct DropoutArgs {
  const void* from;  // [rows, cols]
  Gradient to;       // [rows, cols]
  std::int64_t rows, cols;
  DropoutMask mask;
  DType dtype;
};
void run(const DropoutArgs& args, CpuStream& stream);
void run(const DropoutArgs& args, CudaStream& stream);

}  // namespace lodestone::kernels
