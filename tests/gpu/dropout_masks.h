#pragma once
#include <cstdint>
#include <vector>

#include "kernels/dropout.h"
#include "tests/gpu/device_array.h"

namespace lodestone::testing {

// A dropout of `rows` rows for both devices; probability 0: none. Row keys have upper halves and
// are not in order.
class MaskCase {
 public:
  MaskCase(std::int64_t rows, float probability)
      : probability_(probability), keys_(keys_of(rows)), keys_there_(keys_) {}
  kernels::DropoutMask here() const { return mask(keys_.data()); }
  kernels::DropoutMask there() { return mask(keys_there_.data()); }

 private:
  static std::vector<std::int64_t> keys_of(std::int64_t rows) {
    std::vector<std::int64_t> keys;
    for (std::int64_t r = 0; r < rows; ++r)
      keys.push_back(static_cast<std::int64_t>(row_key(5000 - r / 7, 3 * r)));
    return keys;
  }
  kernels::DropoutMask mask(const std::int64_t* keys) const {
    if (probability_ == 0) return {};
    return {true, keys, RandomKey::derive(11, 12, 13), drop_threshold(probability_),
            1.0 / (1.0 - static_cast<double>(probability_))};
  }
  float probability_;
  std::vector<std::int64_t> keys_;
  DeviceArray<std::int64_t> keys_there_;
};

}  // namespace lodestone::testing
