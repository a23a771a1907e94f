#pragma once
#include <cstdint>

#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

// to[c] = sum over the rows of parts[rows, columns], in one order: the last stage of sums that
// blocks began. f32, on the device; `to` may be null.
void add_column_totals(const float* parts, std::int64_t rows, std::int64_t columns,
                       const Gradient& to, CudaStream& stream);

}  // namespace lodestone::kernels
