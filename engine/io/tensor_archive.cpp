#include "engine/io/tensor_archive.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "engine/core/check.h"
#include "engine/io/elements.h"

namespace lodestone {

static_assert(std::endian::native == std::endian::little, "files of tensors are little-endian");

namespace {

// IEEE 754 binary16.
struct Half {
  std::uint16_t bits;
  operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0) {  // zero and subnormal numbers: fraction * 2^-24
      const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
      return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
  }
};
struct Truth {
  std::uint8_t byte;
  operator std::int64_t() const { return byte != 0 ? 1 : 0; }
};

// Elements in files have no alignment.
template <class From>
From load(const std::byte* at) {
  From value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Rows of the last axis, in row-major order of the axes before it.
template <class From, class To>
Tensor gather(const Shape& shape, std::span<const std::int64_t> strides, const std::byte* first) {
  Tensor result = Tensor::empty(shape, kDTypeOf<To>, Device::cpu());
  const std::span<To> to = result.host<To>();
  const auto rank = strides.size();
  std::array<std::int64_t, Shape::kMaxRank> index{};
  const std::int64_t columns = rank == 0 ? 1 : shape[-1];
  const std::int64_t step = rank == 0 ? 1 : strides.back();
  for (std::size_t done = 0; done < to.size();) {
    std::int64_t row = 0;
    for (std::size_t axis = 0; axis + 1 < rank; ++axis) row += index[axis] * strides[axis];
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t element = row + column * step;
      const auto* const from = first + element * static_cast<std::int64_t>(sizeof(From));
      // NOLINTNEXTLINE(bugprone-signed-char-misuse): an i8 element is a number, not a character
      to[done++] = static_cast<To>(load<From>(from));
    }
    for (int axis = static_cast<int>(rank) - 2; axis >= 0; --axis) {
      std::int64_t& place = index[static_cast<std::size_t>(axis)];
      if (++place < shape[axis]) break;
      place = 0;
    }
  }
  return result;
}

bool is_utf8(const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

const ArchiveEntry* TensorArchive::find(const std::string& name) const {
  const auto& all = entries();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const ArchiveEntry& entry) { return entry.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::size_t size_of(ElementType type) {
  switch (type) {
    case ElementType::kF64:
    case ElementType::kI64:
      return 8;
    case ElementType::kF32:
    case ElementType::kI32:
      return 4;
    case ElementType::kF16:
    case ElementType::kBf16:
    case ElementType::kI16:
      return 2;
    case ElementType::kI8:
    case ElementType::kU8:
    case ElementType::kBool:
      return 1;
  }
  return 0;
}

ElementType element_type_of(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return ElementType::kF64;
    case DType::kF32:
      return ElementType::kF32;
    case DType::kBf16:
      return ElementType::kBf16;
    case DType::kI64:
      return ElementType::kI64;
    case DType::kI32:
      return ElementType::kI32;
    case DType::kU8:
      return ElementType::kU8;
  }
  fail(ErrorKind::kInternal, "element_type_of: a dtype without an element type");
}

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t n) { return n < 0; }))
    return std::nullopt;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape)
    if (__builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  return count;
}

std::vector<std::int64_t> row_major_strides(std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= std::max<std::int64_t>(shape[axis], 1);
  }
  return strides;
}

Tensor decode_elements(const std::filesystem::path& path, const ArchiveEntry& entry,
                       std::span<const std::int64_t> strides, const std::byte* first) {
  check_input(entry.shape.size() <= Shape::kMaxRank,
              "{}: tensor {} has {} axes; at most {} can be read", path.string(), entry.name,
              entry.shape.size(), Shape::kMaxRank);
  const Shape shape{std::span<const std::int64_t>(entry.shape)};
  switch (entry.type) {
    case ElementType::kF64:
      return gather<double, double>(shape, strides, first);
    case ElementType::kF32:
      return gather<float, float>(shape, strides, first);
    case ElementType::kF16:
      return gather<Half, float>(shape, strides, first);
    case ElementType::kBf16:
      return gather<BFloat16, float>(shape, strides, first);
    case ElementType::kI64:
      return gather<std::int64_t, std::int64_t>(shape, strides, first);
    case ElementType::kI32:
      return gather<std::int32_t, std::int64_t>(shape, strides, first);
    case ElementType::kI16:
      return gather<std::int16_t, std::int64_t>(shape, strides, first);
    case ElementType::kI8:
      return gather<std::int8_t, std::int64_t>(shape, strides, first);
    case ElementType::kU8:
      return gather<std::uint8_t, std::int64_t>(shape, strides, first);
    case ElementType::kBool:
      return gather<Truth, std::int64_t>(shape, strides, first);
  }
  fail(ErrorKind::kInternal, "decode_elements: an element type without a reader");
}

void check_named_tensors(const std::filesystem::path& path,
                         const std::vector<NamedTensor>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& item : tensors) {
    check(!item.name.empty() && is_utf8(item.name),
          "{}: tensor {} cannot be written: its name is empty or not UTF-8", path.string(),
          names.size());
    check(names.insert(item.name).second, "{}: two tensors are named {}", path.string(), item.name);
    check(item.tensor.defined() && item.tensor.device().is_cpu(),
          "{}: tensor {} must be on the CPU to be written", path.string(), item.name);
  }
}

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data()), tensor.bytes()};
}

}  // namespace lodestone
