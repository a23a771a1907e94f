#pragma once
// Tensor maps of TMA in an encoding of our own, and the boxes they cut out of global memory.
#include <cuda.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "tests/gpu/emulator/swizzle.h"

namespace lodestone::ptx {

constexpr std::size_t kMaximumRank = 5;

// What lies in the 128 bytes of a CUtensorMap.
struct TensorMap {
  static constexpr std::uint64_t kMagic = 0x6c6f64652d746d61;

  std::uint64_t magic = kMagic;
  std::uint64_t address = 0;
  std::array<std::uint64_t, kMaximumRank> sizes{};    // elements; innermost dimension first
  std::array<std::uint64_t, kMaximumRank> strides{};  // bytes; the first is the size of an element
  std::array<std::uint16_t, kMaximumRank> box{};      // elements that a copy moves (after the step)
  std::array<std::uint8_t, kMaximumRank> steps{};     // distance in elements of those it moves
  std::uint8_t rank = 0;
  std::uint8_t type = 0;  // CUtensorMapDataType
  Swizzle swizzle = Swizzle::kPlain;
  bool fill_with_nan = false;

  // Throws kInvalidArgument with one sentence that names the argument at fault.
  static TensorMap encode(CUtensorMapDataType type, std::uint32_t rank, const void* address,
                          const std::uint64_t* sizes, const std::uint64_t* strides,
                          const std::uint32_t* box, const std::uint32_t* steps,
                          CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                          CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill);
  // The map in 128 bytes of memory, or nothing if encode did not write them.
  static std::optional<TensorMap> read(const void* bytes);
  void write(CUtensorMap* map) const;

  std::uint32_t element_bytes() const { return static_cast<std::uint32_t>(strides[0]); }
  std::uint32_t row_bytes() const { return box[0] * element_bytes(); }
  std::uint32_t box_bytes() const;
};
static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

// Bytes of one element; 0 for the packed types, which the emulator does not know.
std::uint32_t tensor_element_size(CUtensorMapDataType type);

// Sixteen bytes of a box in shared memory and what they stand for in global memory.
struct BoxChunk {
  std::uint32_t shared = 0;  // address in the shared window, swizzled
  std::uint64_t global = 0;  // address of the chunk's first byte, were it inside
  std::uint32_t begin = 0;   // bytes [begin, end) of the chunk lie inside the tensor
  std::uint32_t end = 0;
};

// Calls visit(BoxChunk) for every chunk of the box at `coordinates` (innermost first, may be
// negative or beyond the tensor), whose plain layout starts at `shared`.
template <class Visitor>
void visit_box(const TensorMap& map, std::span<const std::int32_t, kMaximumRank> coordinates,
               std::uint32_t shared, Visitor&& visit);

// The 16 bytes that a load writes outside the tensor: zeros, or a NaN of the element type.
std::array<std::byte, 16> fill_pattern(const TensorMap& map);

namespace detail {

// The row of a box (its position in the outer dimensions), in global memory.
struct BoxRow {
  std::int64_t offset = 0;  // bytes from the tensor's address to the row's first element
  bool inside = true;       // in every outer dimension
};
BoxRow box_row(const TensorMap& map, std::span<const std::int32_t, kMaximumRank> coordinates,
               std::uint32_t row);
std::uint32_t box_rows(const TensorMap& map);

}  // namespace detail

template <class Visitor>
void visit_box(const TensorMap& map, std::span<const std::int32_t, kMaximumRank> coordinates,
               std::uint32_t shared, Visitor&& visit) {
  constexpr std::int64_t kChunk = 16;
  const std::int64_t element = map.element_bytes();
  // Bytes of the row that lie before the tensor's first and up to its last element.
  const std::int64_t first_inside = -std::int64_t{coordinates[0]} * element;
  const std::int64_t end_inside = first_inside + static_cast<std::int64_t>(map.sizes[0]) * element;
  const std::int64_t row_bytes = map.row_bytes();
  for (std::uint32_t row = 0; row < detail::box_rows(map); ++row) {
    const detail::BoxRow place = detail::box_row(map, coordinates, row);
    for (std::int64_t byte = 0; byte < row_bytes; byte += kChunk) {
      const auto clamp = [byte](std::int64_t edge) {
        const std::int64_t inside = edge - byte;
        return static_cast<std::uint32_t>(inside < 0 ? 0 : inside > kChunk ? kChunk : inside);
      };
      BoxChunk chunk;
      chunk.shared = swizzled_address(
          shared + row * map.row_bytes() + static_cast<std::uint32_t>(byte), map.swizzle);
      chunk.global = map.address + static_cast<std::uint64_t>(place.offset + byte);
      chunk.begin = place.inside ? clamp(first_inside) : 0;
      chunk.end = place.inside ? clamp(end_inside) : 0;
      visit(chunk);
    }
  }
}

}  // namespace lodestone::ptx
