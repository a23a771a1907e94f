#include <numeric>

#include "engine/io/hdf5_call.h"

namespace lodestone::hdf5 {
namespace {

Handle type_of(const Dataset& dataset) {
  return Handle(call(dataset.where(), "read its type", H5Dget_type, dataset.id()));
}

Handle space_of(const Dataset& dataset) {
  return Handle(call(dataset.where(), "read its shape", H5Dget_space, dataset.id()));
}

// What a filter is called in the files where it is met.
const char* filter_name(H5Z_filter_t filter) {
  switch (filter) {
    case 4:
      return "szip";
    case 307:
      return "bzip2";
    case 32000:
      return "lzf";
    case 32001:
      return "blosc";
    case 32004:
      return "lz4";
    case 32008:
      return "bitshuffle";
    case 32015:
      return "zstd";
    case 32026:
      return "blosc2";
    default:
      return "unknown to this program";
  }
}

// Throws when the dataset was written with a filter that this library lacks.
void check_filters(const Dataset& dataset) {
  const Handle plan(call(dataset.where(), "read its layout", H5Dget_create_plist, dataset.id()));
  const int count = H5Pget_nfilters(plan.id());
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, configuration = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(plan.id(), static_cast<unsigned>(i), &flags, &values,
                                               nullptr, 0, nullptr, &configuration);
    check_input(H5Zfilter_avail(filter) > 0,
                "{}: is compressed by filter {} ({}), which the HDF5 library here lacks; set "
                "HDF5_PLUGIN_PATH to the folder of its plugin, or re-save the file with gzip",
                dataset.where(), filter, filter_name(filter));
  }
}

template <class Function, class Buffer>
void read_selected(const Dataset& dataset, hid_t type, hid_t memory, hid_t selected,
                   Function* function, Buffer* out) {
  silence_library();
  if (function(dataset.id(), type, memory, selected, H5P_DEFAULT, out) >= 0) return;
  const std::string message = library_message();
  check_filters(dataset);
  fail(kind_of_failure(message), "{}: cannot be read (damaged file?): {}", dataset.where(),
       message);
}

// Selects whole rows [begin, end) of `space`.
void select_rows(hid_t space, std::int64_t begin, std::int64_t end) {
  std::vector<hsize_t> start, count;
  for (const std::int64_t extent : shape_of(space)) {
    start.push_back(0);
    count.push_back(static_cast<hsize_t>(extent));
  }
  if (start.empty()) return;  // a scalar: everything is selected
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
}

std::int64_t elements_per_row(const std::vector<std::int64_t>& shape) {
  return shape.empty() ? 1
                       : std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1},
                                         std::multiplies<>());
}

Handle line_of(std::size_t count) {
  const hsize_t extent = count;
  return Handle(H5Screate_simple(1, &extent, nullptr));
}

// `count` elements from row `begin` on: the number of rows that is, checked.
std::int64_t rows_in(const Dataset& dataset, std::int64_t begin, std::size_t count) {
  const std::int64_t width = std::max<std::int64_t>(elements_per_row(dataset.shape()), 1);
  const std::int64_t rows = static_cast<std::int64_t>(count) / width;
  check(rows * width == static_cast<std::int64_t>(count) && begin >= 0 &&
            begin + rows <= dataset.rows(),
        "{}: {} elements from row {} on do not fit {} rows of {}", dataset.where(), count, begin,
        dataset.rows(), width);
  return rows;
}

}  // namespace

Kind Dataset::kind() const {
  return kind_of(type_of(*this).id());
}

std::size_t Dataset::element_bytes() const {
  return H5Tget_size(type_of(*this).id());
}

std::vector<std::int64_t> Dataset::shape() const {
  return shape_of(space_of(*this).id());
}

std::int64_t Dataset::rows() const {
  const std::vector<std::int64_t> extents = shape();
  return extents.empty() ? size() : extents[0];
}

std::int64_t Dataset::size() const {
  return size_of(space_of(*this).id(), where());
}

std::int64_t Dataset::chunk_rows() const {
  const Handle plan(call(where(), "read its layout", H5Dget_create_plist, id()));
  if (H5Pget_layout(plan.id()) != H5D_CHUNKED) return 0;
  std::vector<hsize_t> chunk(H5S_MAX_RANK);
  call(where(), "read its chunks", H5Pget_chunk, plan.id(), int{H5S_MAX_RANK}, chunk.data());
  return static_cast<std::int64_t>(chunk[0]);
}

std::size_t Dataset::elements_of_rows(std::int64_t begin, std::int64_t end) const {
  check(begin >= 0 && begin <= end && end <= rows(), "{}: rows [{}, {}) of {}", where(), begin, end,
        rows());
  if (begin == end || size() == 0) return 0;
  return static_cast<std::size_t>((end - begin) * elements_per_row(shape()));
}

void Dataset::read_numbers(std::int64_t begin, Number type, std::size_t count, void* out) const {
  const Kind found = kind();
  check_input(found == Kind::kInteger || found == Kind::kFloat || found == Kind::kBool,
              "{}: must hold numbers", where());
  if (count == 0) return;
  const std::int64_t rows = rows_in(*this, begin, count);
  const Handle space = space_of(*this);
  select_rows(space.id(), begin, begin + rows);
  read_selected(*this, native_type(type), line_of(count).id(), space.id(), H5Dread, out);
}

std::vector<std::string> Dataset::read_texts(std::int64_t begin, std::int64_t end) const {
  const std::size_t count = elements_of_rows(begin, end);
  const Handle type = type_of(*this);
  check_input(kind_of(type.id()) == Kind::kText, "{}: must hold strings", where());
  if (count == 0) return {};
  const Handle space = space_of(*this), memory = line_of(count);
  select_rows(space.id(), begin, end);
  return decode_texts(type.id(), memory.id(), where(), [&](void* buffer) {
    read_selected(*this, type.id(), memory.id(), space.id(), H5Dread, buffer);
  });
}

std::vector<std::string> Dataset::read_texts() const {
  return read_texts(0, rows());
}

std::string Dataset::read_text() const {
  std::vector<std::string> texts = read_texts();
  check_input(texts.size() == 1, "{}: must be one string, holds {}", where(), texts.size());
  return std::move(texts[0]);
}

void Dataset::write_numbers(std::int64_t begin, Number type, std::size_t count,
                            const void* values) {
  const std::int64_t rows = rows_in(*this, begin, count);
  if (count == 0) return;
  const Handle space = space_of(*this);
  select_rows(space.id(), begin, begin + rows);
  call(where(), "write it", H5Dwrite, id(), native_type(type), line_of(count).id(), space.id(),
       hid_t{H5P_DEFAULT}, values);
}

std::int64_t Dataset::grow(std::size_t elements) {
  std::vector<std::int64_t> extents = shape();
  check(!extents.empty(), "{}: a scalar cannot grow", where());
  const std::int64_t width = std::max<std::int64_t>(elements_per_row(extents), 1);
  const std::int64_t before = extents[0];
  extents[0] += static_cast<std::int64_t>(elements) / width;
  const std::vector<hsize_t> grown(extents.begin(), extents.end());
  call(where(), "grow it", H5Dset_extent, id(), grown.data());
  return before;
}

bool Dataset::is_stored_as(Number type) const {
  return H5Tequal(type_of(*this).id(), native_type(type)) > 0;
}

std::int64_t Dataset::file_offset() const {
  if (size() == 0) return 0;
  silence_library();
  const haddr_t offset = H5Dget_offset(id());
  check_input(offset != HADDR_UNDEF, "{}: is not stored contiguously, so it cannot be mapped",
              where());
  return static_cast<std::int64_t>(offset);
}

}  // namespace lodestone::hdf5
