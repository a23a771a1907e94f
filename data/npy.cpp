#include "data/npy.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Header {
  bool is_double = false;
  std::int64_t rows = 0, columns = 0;
  std::size_t data_begin = 0;
};

// What follows "'key': " in the header, a Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key,
                          const std::filesystem::path& path) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  check_input(at != std::string_view::npos, "{}: the npy header has no {}", path.string(), key);
  std::string_view value = header.substr(at + key.size() + 3);
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

std::int64_t take_extent(std::string_view& text, char end, const std::filesystem::path& path) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t extent = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
  check_input(error == std::errc() && stop < text.data() + text.size() && *stop == end &&
                  extent > 0 && extent <= INT32_MAX,
              "{}: expected a shape of two extents above 0, such as (1582, 256)", path.string());
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return extent;
}

Header parse_header(std::string_view file, const std::filesystem::path& path) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  constexpr std::size_t kFirstVersionPrefix = 10, kLaterVersionPrefix = 12;
  check_input(file.starts_with(kMagic) && file.size() >= kLaterVersionPrefix,
              "{}: is not an npy file", path.string());
  const bool first_version = file[kMagic.size()] == 1;
  const std::size_t prefix = first_version ? kFirstVersionPrefix : kLaterVersionPrefix;
  std::uint32_t length = 0;
  std::memcpy(&length, file.data() + kMagic.size() + 2, first_version ? 2 : 4);
  check_input(length <= file.size() - prefix, "{}: ends within its npy header", path.string());
  const std::string_view text = file.substr(prefix, length);
  const std::string_view type = value_of(text, "descr", path);
  check_input(type.starts_with("'<f4'") || type.starts_with("'<f8'"),
              "{}: holds numbers of type {}, expected '<f4' or '<f8'", path.string(),
              type.substr(0, type.find(',')));
  check_input(value_of(text, "fortran_order", path).starts_with("False"),
              "{}: is in column-major order; save numpy.ascontiguousarray of it", path.string());
  Header header{type[3] == '8', 0, 0, prefix + length};
  std::string_view shape = value_of(text, "shape", path);
  if (shape.starts_with('(')) shape.remove_prefix(1);
  header.rows = take_extent(shape, ',', path);
  header.columns = take_extent(shape, ')', path);
  return header;
}

}  // namespace

Matrix read_npy(const std::filesystem::path& path) {
  const MappedFile mapped(path);
  const auto bytes = mapped.bytes();
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Header header = parse_header(file, path);
  const auto count = static_cast<std::size_t>(header.rows * header.columns);
  const std::size_t width = header.is_double ? sizeof(double) : sizeof(float);
  check_input(file.size() - header.data_begin == count * width,
              "{}: shape ({}, {}) needs {} bytes of numbers, the file has {}", path.string(),
              header.rows, header.columns, count * width, file.size() - header.data_begin);
  Matrix matrix{header.rows, header.columns, std::vector<float>(count)};
  const char* data = file.data() + header.data_begin;
  if (!header.is_double) {
    std::memcpy(matrix.values.data(), data, count * width);
    return matrix;
  }
  for (std::size_t i = 0; i < count; ++i) {
    double value = 0;
    std::memcpy(&value, data + i * width, width);
    matrix.values[i] = static_cast<float>(value);
  }
  return matrix;
}

}  // namespace lodestone
