#pragma once
#include "engine/ops.h"
#include "kernels/dropout.h"

namespace lodestone {

// The mask of a dropout over `rows` rows. It points into dropout.row_keys, which whoever keeps the
// mask must keep too. Throws kInvalidArgument when the probability or the keys do not fit.
kernels::DropoutMask checked_mask(const char* op, const Dropout& dropout, std::int64_t rows,
                                  Device device);

}  // namespace lodestone
