#include <algorithm>
#include <cstring>
#include <type_traits>

#include "engine/core/bfloat16.h"
#include "tests/gpu/emulator/bulk_copies.h"
#include "tests/gpu/emulator/number_formats.h"

namespace lodestone::ptx {
namespace {

// Sixteen-bit floats are read as, and rounded from, f32.
struct Half {
  std::uint16_t bits;
  operator float() const { return f16_value(bits); }
  explicit Half(float value = 0) : bits(f16_bits(value)) {}
};

template <class Element>
Element combine(ReductionKind kind, Element old, Element operand) {
  switch (kind) {
    case ReductionKind::kMin:
      return std::min(old, operand);
    case ReductionKind::kMax:
      return std::max(old, operand);
    default:
      break;
  }
  if constexpr (std::is_integral_v<Element>) {
    switch (kind) {
      case ReductionKind::kIncrement:
        return old >= operand ? Element{0} : static_cast<Element>(old + 1);
      case ReductionKind::kDecrement:
        return old == 0 || old > operand ? operand : static_cast<Element>(old - 1);
      case ReductionKind::kAnd:
        return old & operand;
      case ReductionKind::kOr:
        return old | operand;
      case ReductionKind::kXor:
        return old ^ operand;
      default:
        break;
    }
    // Sums wrap around, which signed arithmetic may not.
    using Unsigned = std::make_unsigned_t<Element>;
    return static_cast<Element>(static_cast<Unsigned>(old) + static_cast<Unsigned>(operand));
  } else {
    return Element(old + operand);
  }
}

template <class Element>
void reduce_elements(ReductionKind kind, std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += sizeof(Element)) {
    Element old;
    Element operand;
    std::memcpy(&old, to + at, sizeof(Element));
    std::memcpy(&operand, from + at, sizeof(Element));
    const Element result = combine(kind, old, operand);
    std::memcpy(to + at, &result, sizeof(Element));
  }
}

}  // namespace

void reduce_bytes(Reduction reduction, std::byte* to, const std::byte* from, std::size_t bytes) {
  switch (reduction.type) {
    case ReductionType::kU32:
      return reduce_elements<std::uint32_t>(reduction.kind, to, from, bytes);
    case ReductionType::kS32:
      return reduce_elements<std::int32_t>(reduction.kind, to, from, bytes);
    case ReductionType::kU64:
      return reduce_elements<std::uint64_t>(reduction.kind, to, from, bytes);
    case ReductionType::kS64:
      return reduce_elements<std::int64_t>(reduction.kind, to, from, bytes);
    case ReductionType::kHalf:
      return reduce_elements<Half>(reduction.kind, to, from, bytes);
    case ReductionType::kBfloat16:
      return reduce_elements<BFloat16>(reduction.kind, to, from, bytes);
    case ReductionType::kFloat:
      return reduce_elements<float>(reduction.kind, to, from, bytes);
    case ReductionType::kDouble:
      return reduce_elements<double>(reduction.kind, to, from, bytes);
  }
}

}  // namespace lodestone::ptx
