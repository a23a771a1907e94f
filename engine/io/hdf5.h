#pragma once
// HDF5 files through owners, C++ types and Errors. What the library itself reports is folded into
// the message, which names the file and the object in it. The library works behind one global lock:
// any thread may call, one at a time runs. Read-only files are opened without file locks, so that
// files on network file systems can be read.
//
// T below is one of std::int8_t .. std::int64_t, std::uint8_t .. std::uint64_t, float, double.
// Numbers are converted from what the file holds to T (out-of-range values saturate, fractions are
// cut). Shapes are row-major; "row" means an index of the first axis.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lodestone::hdf5 {

enum class Kind : std::uint8_t {
  kInteger,
  kFloat,
  kText,  // strings of fixed or variable length
  kBool,  // the enumeration {FALSE = 0, TRUE = 1} that Python writes; read as 0 and 1
  kOther,
};

enum class Number : std::uint8_t { kI8, kI16, kI32, kI64, kU8, kU16, kU32, kU64, kF32, kF64 };

template <class T>
constexpr Number number_of() {
  if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    return sizeof(T) == 4 ? Number::kF32 : Number::kF64;
  } else {
    static_assert(std::is_integral_v<T> && !std::is_same_v<T, bool>);
    constexpr Number kSigned[] = {Number::kI8, Number::kI16, Number::kI32, Number::kI64};
    constexpr Number kUnsigned[] = {Number::kU8, Number::kU16, Number::kU32, Number::kU64};
    constexpr int kWidth = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? kSigned[kWidth] : kUnsigned[kWidth];
  }
}

// An owned library identifier.
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::int64_t id) : id_(id) {}
  ~Handle();
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  std::int64_t id() const { return id_; }

 private:
  std::int64_t id_ = -1;
};

// A group or a dataset: whatever has attributes. Reading an attribute that is absent or of another
// kind throws kBadInput.
class Object {
 public:
  explicit Object(Handle handle) : handle_(std::move(handle)) {}
  std::int64_t id() const { return handle_.id(); }
  // "cells.h5ad: X/indptr", or "cells.h5ad" for the root, for messages.
  std::string where() const;

  bool has_attribute(const std::string& name) const;
  std::string text_attribute(const std::string& name) const;
  // An array of strings; an empty array of any kind is taken for an empty one.
  std::vector<std::string> texts_attribute(const std::string& name) const;
  template <class T>
  std::vector<T> numbers_attribute(const std::string& name) const {
    std::vector<T> values(attribute_size(name));
    if (!values.empty()) read_attribute(name, number_of<T>(), values.data());
    return values;
  }

  // These replace an attribute of the same name.
  void set_text_attribute(const std::string& name, std::string_view value);
  void set_texts_attribute(const std::string& name, const std::vector<std::string>& values);
  void set_bool_attribute(const std::string& name, bool value);
  template <class T>
  void set_numbers_attribute(const std::string& name, const std::vector<T>& values) {
    write_attribute(name, number_of<T>(), values.size(), values.data());
  }

 private:
  std::size_t attribute_size(const std::string& name) const;
  void read_attribute(const std::string& name, Number type, void* values) const;
  void write_attribute(const std::string& name, Number type, std::size_t count, const void* values);
  Handle handle_;
};

class Dataset : public Object {
 public:
  using Object::Object;
  Kind kind() const;
  std::size_t element_bytes() const;        // as stored
  std::vector<std::int64_t> shape() const;  // empty for a scalar
  std::int64_t rows() const;                // shape()[0]; 1 for a scalar
  std::int64_t size() const;                // elements
  // Rows of one chunk; 0 when the dataset is not chunked.
  std::int64_t chunk_rows() const;

  // Integers, floats and bools. Throws kBadInput when the dataset holds something else, cannot be
  // read, or needs a filter that is not installed (named, with what to do).
  template <class T>
  std::vector<T> read() const {
    return read_rows<T>(0, rows());
  }
  // Rows [begin, end), all other axes whole.
  template <class T>
  std::vector<T> read_rows(std::int64_t begin, std::int64_t end) const {
    std::vector<T> values(elements_of_rows(begin, end));
    read_numbers(begin, number_of<T>(), values.size(), values.data());
    return values;
  }
  // Rows begin, begin + 1, ... into `out`, whose size must be a whole number of rows.
  template <class T>
  void read_rows_into(std::int64_t begin, std::span<T> out) const {
    read_numbers(begin, number_of<T>(), out.size(), out.data());
  }

  std::vector<std::string> read_texts() const;
  std::vector<std::string> read_texts(std::int64_t begin, std::int64_t end) const;
  std::string read_text() const;  // a scalar

  // Overwrites rows begin, begin + 1, ...
  template <class T>
  void write_rows(std::int64_t begin, std::span<const T> values) {
    write_numbers(begin, number_of<T>(), values.size(), values.data());
  }
  // Grows the first axis by values.size() / (elements of a row) and writes there.
  template <class T>
  void append(std::span<const T> values) {
    write_rows(grow(values.size()), values);
  }

  // Are the file's numbers of this type, in this processor's byte order? Then they can be mapped.
  bool is_stored_as(Number type) const;
  // Where a contiguous dataset's first element lies in the file, in bytes; 0 when it is empty.
  std::int64_t file_offset() const;

 private:
  // Throws kInvalidArgument unless 0 <= begin <= end <= rows().
  std::size_t elements_of_rows(std::int64_t begin, std::int64_t end) const;
  void read_numbers(std::int64_t begin, Number type, std::size_t count, void* out) const;
  void write_numbers(std::int64_t begin, Number type, std::size_t count, const void* values);
  std::int64_t grow(std::size_t elements);  // returns the number of rows before
};

class Group : public Object {
 public:
  using Object::Object;
  // Names may be paths ("obs/cell_type"). Opening what is absent throws kBadInput.
  bool has(const std::string& name) const;
  bool has_group(const std::string& name) const;
  bool has_dataset(const std::string& name) const;
  std::vector<std::string> children() const;  // names, sorted
  Group group(const std::string& name) const;
  Dataset dataset(const std::string& name) const;

  Group create_group(const std::string& name);
  // Contiguous; its space is allocated now, so that file_offset() is known and the file is
  // mappable.
  template <class T>
  Dataset create_contiguous(const std::string& name, const std::vector<std::int64_t>& shape) {
    return create_dataset(name, number_of<T>(), shape, 0, 0);
  }
  // The same, filled.
  template <class T>
  Dataset create_numbers(const std::string& name, const std::vector<std::int64_t>& shape,
                         std::span<const T> values) {
    Dataset created = create_contiguous<T>(name, shape);
    created.write_rows(0, values);
    return created;
  }
  // Chunks of `chunk_rows` rows, deflate level `deflate` (0 = none), first axis growable.
  template <class T>
  Dataset create_chunked(const std::string& name, const std::vector<std::int64_t>& shape,
                         std::int64_t chunk_rows, int deflate) {
    return create_dataset(name, number_of<T>(), shape, chunk_rows, deflate);
  }
  // Variable-length UTF-8.
  Dataset create_texts(const std::string& name, const std::vector<std::string>& values);
  Dataset create_text(const std::string& name, std::string_view value);
  // The enumeration {FALSE = 0, TRUE = 1}; values are 0 or 1.
  Dataset create_bools(const std::string& name, const std::vector<std::uint8_t>& values);

  void remove(const std::string& name);
  // Copies source/name with everything in it, possibly from another file, to name here.
  void copy_from(const Group& source, const std::string& name);

 private:
  // chunk_rows = 0: contiguous.
  Dataset create_dataset(const std::string& name, Number type,
                         const std::vector<std::int64_t>& shape, std::int64_t chunk_rows,
                         int deflate);
};

// An open file, and its root group.
class File : public Group {
 public:
  // Read-only. Throws kIo when the file cannot be opened, kBadInput when it is missing, not HDF5 or
  // truncated.
  static File open(const std::filesystem::path& path);
  static File create(const std::filesystem::path& path);  // replaces a file of that name
  static File edit(const std::filesystem::path& path);    // an existing file, to change
  // Writes everything out; throws kOutOfMemory when the disk is full. Call before publishing.
  void flush();

 private:
  explicit File(Handle file);
  Handle file_;
};

}  // namespace lodestone::hdf5
