#pragma once
// Elements as files of tensors store them: little-endian, maybe strided.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "engine/io/tensor_archive.h"

namespace lodestone {

std::size_t size_of(ElementType type);
// The type a tensor of this dtype is written with.
ElementType element_type_of(DType dtype);

// Product of the extents; nothing when one is negative or the product does not fit 63 bits.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);

// Row-major strides, in elements, of a shape that element_count() accepted.
std::vector<std::int64_t> row_major_strides(std::span<const std::int64_t> shape);

// A CPU tensor of `entry`'s elements, converted as TensorArchive::read says; `first` is element
// [0, ..., 0], and every element that the shape and the strides reach must lie in memory. `path` is
// for the message when the rank is above Shape::kMaxRank (kBadInput).
Tensor decode_elements(const std::filesystem::path& path, const ArchiveEntry& entry,
                       std::span<const std::int64_t> strides, const std::byte* first);

// What both writers ask of their input: names that are unique, not empty and UTF-8, tensors that
// are on the CPU. Throws kInvalidArgument.
void check_named_tensors(const std::filesystem::path& path,
                         const std::vector<NamedTensor>& tensors);

std::span<const std::byte> bytes_of(const Tensor& tensor);

}  // namespace lodestone
