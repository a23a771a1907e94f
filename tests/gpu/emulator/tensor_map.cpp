#include "tests/gpu/emulator/tensor_map.h"

#include <cstring>

#include "engine/core/check.h"

namespace lodestone::ptx {
namespace {

constexpr std::uint64_t kMaximumSize = std::uint64_t{1} << 32;
constexpr std::uint64_t kMaximumStride = std::uint64_t{1} << 40;

bool is_floating(CUtensorMapDataType type) {
  switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64:
      return true;
    default:
      return false;
  }
}

Swizzle checked_swizzle(CUtensorMapSwizzle swizzle) {
  check(swizzle >= CU_TENSOR_MAP_SWIZZLE_NONE && swizzle <= CU_TENSOR_MAP_SWIZZLE_128B,
        "tensor map: swizzle {} is not one of none, 32, 64 and 128 bytes",
        static_cast<int>(swizzle));
  return static_cast<Swizzle>(swizzle);
}

void check_sizes(const TensorMap& map) {
  for (std::size_t i = 0; i < map.rank; ++i)
    check(map.sizes[i] >= 1 && map.sizes[i] <= kMaximumSize,
          "tensor map: dimension {} has {} elements, must be 1 to 2^32", i, map.sizes[i]);
  for (std::size_t i = 1; i < map.rank; ++i) {
    check(map.strides[i] % 16 == 0 && map.strides[i] < kMaximumStride,
          "tensor map: stride {} is {} bytes, must be a multiple of 16 below 2^40", i - 1,
          map.strides[i]);
    const std::uint64_t extent = i == 1 ? map.sizes[0] * map.strides[0] : map.strides[i - 1];
    check(map.strides[i] >= extent,
          "tensor map: stride {} is {} bytes, below the {} of what it steps over", i - 1,
          map.strides[i], extent);
  }
}

void check_box(const TensorMap& map, const std::uint32_t* box, const std::uint32_t* steps) {
  for (std::size_t i = 0; i < map.rank; ++i) {
    check(box[i] >= 1 && box[i] <= 256, "tensor map: box dimension {} is {}, must be 1 to 256", i,
          box[i]);
    check(steps[i] >= 1 && steps[i] <= 8, "tensor map: element stride {} is {}, must be 1 to 8", i,
          steps[i]);
  }
  check(map.row_bytes() % 16 == 0, "tensor map: the box is {} bytes wide, must be a multiple of 16",
        map.row_bytes());
  if (map.swizzle == Swizzle::kPlain) return;
  const std::uint32_t span = swizzle_span(map.swizzle);
  check(map.row_bytes() <= span, "tensor map: the box is {} bytes wide, more than the swizzle's {}",
        map.row_bytes(), span);
  // Legal, but where the rows of such a box lie is documented nowhere.
  check(map.row_bytes() == span,
        "tensor map: the emulator knows swizzled boxes of the swizzle's {} bytes only, not of {}",
        span, map.row_bytes());
}

}  // namespace

std::uint32_t tensor_element_size(CUtensorMapDataType type) {
  switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT8:
      return 1;
    case CU_TENSOR_MAP_DATA_TYPE_UINT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
      return 2;
    case CU_TENSOR_MAP_DATA_TYPE_UINT32:
    case CU_TENSOR_MAP_DATA_TYPE_INT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ:
      return 4;
    case CU_TENSOR_MAP_DATA_TYPE_UINT64:
    case CU_TENSOR_MAP_DATA_TYPE_INT64:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

TensorMap TensorMap::encode(CUtensorMapDataType type, std::uint32_t rank, const void* address,
                            const std::uint64_t* sizes, const std::uint64_t* strides,
                            const std::uint32_t* box, const std::uint32_t* steps,
                            CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                            CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
  const std::uint32_t element = tensor_element_size(type);
  check(element != 0, "tensor map: data type {} is not supported", static_cast<int>(type));
  check(rank >= 1 && rank <= kMaximumRank, "tensor map: rank {} is not 1 to 5", rank);
  check(address != nullptr && reinterpret_cast<std::uintptr_t>(address) % 16 == 0,
        "tensor map: the address {} must be a multiple of 16", fmt::ptr(address));
  check(interleave == CU_TENSOR_MAP_INTERLEAVE_NONE, "tensor map: interleave {} is not supported",
        static_cast<int>(interleave));
  check(promotion >= CU_TENSOR_MAP_L2_PROMOTION_NONE &&
            promotion <= CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        "tensor map: L2 promotion {} does not exist", static_cast<int>(promotion));
  check(fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE || is_floating(type),
        "tensor map: NaN fill needs a floating-point data type, not {}", static_cast<int>(type));
  TensorMap map;
  map.address = reinterpret_cast<std::uintptr_t>(address);
  map.rank = static_cast<std::uint8_t>(rank);
  map.type = static_cast<std::uint8_t>(type);
  map.swizzle = checked_swizzle(swizzle);
  map.fill_with_nan = fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
  map.sizes.fill(1);
  map.box.fill(1);
  map.steps.fill(1);
  map.strides[0] = element;
  for (std::size_t i = 0; i < rank; ++i) {
    map.sizes[i] = sizes[i];
    if (i != 0) map.strides[i] = strides[i - 1];
    // The step of the innermost dimension is ignored.
    map.steps[i] = static_cast<std::uint8_t>(i == 0 ? 1 : steps[i]);
    map.box[i] = static_cast<std::uint16_t>(
        i == 0 || steps[i] == 0 ? box[i] : (box[i] + steps[i] - 1) / steps[i]);
  }
  check_sizes(map);
  check_box(map, box, steps);
  return map;
}

std::optional<TensorMap> TensorMap::read(const void* bytes) {
  TensorMap map;
  std::memcpy(&map, bytes, sizeof(map));
  if (map.magic != kMagic) return std::nullopt;
  return map;
}

void TensorMap::write(CUtensorMap* map) const {
  std::memset(map, 0, sizeof(*map));
  std::memcpy(map, this, sizeof(*this));
}

std::uint32_t TensorMap::box_bytes() const {
  return row_bytes() * detail::box_rows(*this);
}

std::array<std::byte, 16> fill_pattern(const TensorMap& map) {
  std::array<std::byte, 16> pattern{};
  // Every bit set is a NaN in every floating-point format.
  if (map.fill_with_nan) pattern.fill(std::byte{0xff});
  return pattern;
}

namespace detail {

std::uint32_t box_rows(const TensorMap& map) {
  std::uint32_t rows = 1;
  for (std::size_t i = 1; i < map.rank; ++i) rows *= map.box[i];
  return rows;
}

BoxRow box_row(const TensorMap& map, std::span<const std::int32_t, kMaximumRank> coordinates,
               std::uint32_t row) {
  BoxRow place;
  place.offset = std::int64_t{coordinates[0]} * map.element_bytes();
  for (std::size_t i = 1; i < map.rank; ++i) {
    const std::int64_t position = coordinates[i] + std::int64_t{row % map.box[i]} * map.steps[i];
    row /= map.box[i];
    place.inside &= position >= 0 && static_cast<std::uint64_t>(position) < map.sizes[i];
    place.offset += position * static_cast<std::int64_t>(map.strides[i]);
  }
  return place;
}

}  // namespace detail
}  // namespace lodestone::ptx
