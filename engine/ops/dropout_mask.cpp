#include "engine/ops/dropout_mask.h"

#include "engine/core/check.h"
#include "engine/ops/packed_checks.h"

namespace lodestone {

kernels::DropoutMask checked_mask(const char* op, const Dropout& dropout, std::int64_t rows,
                                  Device device) {
  check(0 <= dropout.probability && dropout.probability < 1,
        "{}: a dropout probability lies in [0, 1), got {}", op, dropout.probability);
  if (dropout.probability == 0) return {};
  check_tensor(op, "row_keys", dropout.row_keys, {rows}, DType::kI64);
  return {.enabled = true,
          .row_keys = dropout.row_keys.data_on<std::int64_t>(device),
          .key = dropout.key,
          .threshold = drop_threshold(dropout.probability),
          .scale = 1 / (1 - static_cast<double>(dropout.probability))};
}

}  // namespace lodestone
