#include "tests/gpu/conformance/definitions.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace lodestone::gpu_tests {

bool Outcome::accepts(std::uint32_t found) const {
  const auto value = std::bit_cast<float>(found);
  if (kind_ == Kind::kBits) return found == bits_ || found == other_;
  return kind_ == Kind::kNan ? std::isnan(value) : std::fabs(value - value_) <= bound_;
}

bool Outcome::agrees(std::uint32_t recorded, std::uint32_t found) const {
  if (kind_ == Kind::kBits) return recorded == found;
  if (kind_ == Kind::kNan) return accepts(recorded) && accepts(found);
  const double apart = std::fabs(static_cast<double>(std::bit_cast<float>(recorded)) -
                                 static_cast<double>(std::bit_cast<float>(found)));
  return apart <= 2 * bound_;
}

std::string Outcome::text() const {
  if (kind_ == Kind::kBits && bits_ != other_)
    return fmt::format("{:08x} or {:08x}", bits_, other_);
  if (kind_ == Kind::kBits) return fmt::format("{:08x} ({})", bits_, std::bit_cast<float>(bits_));
  return kind_ == Kind::kNan ? "a NaN" : fmt::format("{} to within {}", value_, bound_);
}

}  // namespace lodestone::gpu_tests
