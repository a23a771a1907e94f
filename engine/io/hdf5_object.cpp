// Errors, types and attributes.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/io/hdf5_call.h"

namespace lodestone::hdf5 {

namespace {
// The first failure to close in this thread that nobody has been told of: what the library still
// had to write is lost, and a destructor cannot throw.
thread_local std::string failed_close;
}  // namespace

Handle::~Handle() {
  if (id_ < 0) return;
  silence_library();
  if (H5Idec_ref(id_) < 0 && failed_close.empty()) failed_close = library_message();
}
void throw_failed_close(const std::string& where) {
  const std::string message = std::exchange(failed_close, {});
  if (!message.empty())
    fail(kind_of_failure(message), "{}: cannot write it out: {}", where, message);
}
Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

// Owners close what they open. What a full disk kept them from closing, the library would try to
// close again as the program ends, and crash.
[[maybe_unused]] const herr_t kNothingAtExit = H5dont_atexit();

void silence_library() {
  thread_local const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(silent);
}

std::string library_message() {
  std::string message;
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
    auto& taken = *static_cast<std::string*>(text);
    if (taken.empty() && error->desc != nullptr) taken = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &message);
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message.empty() ? "no message" : message;
}

ErrorKind kind_of_failure(const std::string& message) {
  const auto says = [&](const char* text) { return message.find(text) != std::string::npos; };
  if (says("No space left on device") || says("Disk quota exceeded"))
    return ErrorKind::kOutOfMemory;
  return says("Input/output error") ? ErrorKind::kIo : ErrorKind::kBadInput;
}

void throw_library_error(const std::string& where, const char* doing) {
  const std::string message = library_message();
  fail(kind_of_failure(message), "{}: cannot {}: {}", where, doing, message);
}

hid_t native_type(Number type) {
  switch (type) {
    case Number::kI8:
      return H5T_NATIVE_INT8;
    case Number::kI16:
      return H5T_NATIVE_INT16;
    case Number::kI32:
      return H5T_NATIVE_INT32;
    case Number::kI64:
      return H5T_NATIVE_INT64;
    case Number::kU8:
      return H5T_NATIVE_UINT8;
    case Number::kU16:
      return H5T_NATIVE_UINT16;
    case Number::kU32:
      return H5T_NATIVE_UINT32;
    case Number::kU64:
      return H5T_NATIVE_UINT64;
    case Number::kF32:
      return H5T_NATIVE_FLOAT;
    case Number::kF64:
      return H5T_NATIVE_DOUBLE;
  }
  fail(ErrorKind::kInternal, "hdf5: no such number type");
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

Handle bool_type() {
  Handle type(H5Tenum_create(H5T_NATIVE_INT8));
  const std::int8_t no = 0, yes = 1;
  H5Tenum_insert(type.id(), "FALSE", &no);
  H5Tenum_insert(type.id(), "TRUE", &yes);
  return type;
}

Kind kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return Kind::kInteger;
    case H5T_FLOAT:
      return Kind::kFloat;
    case H5T_STRING:
      return Kind::kText;
    case H5T_ENUM:
      return H5Tequal(type, bool_type().id()) > 0 ? Kind::kBool : Kind::kOther;
    default:
      return Kind::kOther;
  }
}

std::vector<std::int64_t> shape_of(hid_t space) {
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  const int rank = H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return {extents.begin(), extents.begin() + std::max(rank, 0)};
}

std::int64_t size_of(hid_t space, const std::string& where) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return 0;
  const std::vector<std::int64_t> shape = shape_of(space);
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  // 16 bytes is the most that an element takes in memory here.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 16;
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) {
    check_input(extent > 0 && extent <= kMost / size, "{}: its shape has more elements than memory",
                where);
    size *= extent;
  }
  return size;
}

std::string Object::where() const {
  const auto text = [this](ssize_t (*name)(hid_t, char*, std::size_t)) {
    const ssize_t length = name(id(), nullptr, 0);
    if (length <= 0) return std::string();
    std::string value(static_cast<std::size_t>(length), '\0');
    name(id(), value.data(), value.size() + 1);
    return value;
  };
  const std::string object = text(H5Iget_name);
  if (object.size() <= 1) return text(H5Fget_name);
  return fmt::format("{}: {}", text(H5Fget_name), object.substr(1));
}

namespace {

struct Attribute {
  Handle attribute, type, space;
  std::string where;
};

Attribute open_attribute(const Object& object, const std::string& name) {
  const std::string where = fmt::format("{}: attribute '{}'", object.where(), name);
  check_input(object.has_attribute(name), "{} is missing", where);
  Handle attribute(call(where, "open it", H5Aopen, object.id(), name.c_str(), H5P_DEFAULT));
  Handle type(call(where, "read its type", H5Aget_type, attribute.id()));
  Handle space(call(where, "read its shape", H5Aget_space, attribute.id()));
  return {std::move(attribute), std::move(type), std::move(space), where};
}

void replace_attribute(const Object& object, const std::string& name, hid_t type, hid_t space,
                       const void* values) {
  const std::string where = fmt::format("{}: attribute '{}'", object.where(), name);
  if (object.has_attribute(name)) call(where, "replace it", H5Adelete, object.id(), name.c_str());
  const Handle attribute(call(where, "create it", H5Acreate2, object.id(), name.c_str(), type,
                              space, H5P_DEFAULT, H5P_DEFAULT));
  if (values != nullptr) call(where, "write it", H5Awrite, attribute.id(), type, values);
}

Handle line_of(std::size_t count) {
  const hsize_t extent = count;
  return Handle(H5Screate_simple(1, &extent, nullptr));
}

}  // namespace

bool Object::has_attribute(const std::string& name) const {
  return call(where(), "look for an attribute", H5Aexists, id(), name.c_str()) > 0;
}

std::vector<std::string> Object::texts_attribute(const std::string& name) const {
  const Attribute attribute = open_attribute(*this, name);
  if (size_of(attribute.space.id(), attribute.where) == 0) return {};
  check_input(kind_of(attribute.type.id()) == Kind::kText, "{} must hold strings", attribute.where);
  return decode_texts(attribute.type.id(), attribute.space.id(), attribute.where,
                      [&](void* buffer) {
                        call(attribute.where, "read it", H5Aread, attribute.attribute.id(),
                             attribute.type.id(), buffer);
                      });
}

std::string Object::text_attribute(const std::string& name) const {
  std::vector<std::string> texts = texts_attribute(name);
  check_input(texts.size() == 1, "{}: attribute '{}' must be one string", where(), name);
  return std::move(texts[0]);
}

std::size_t Object::attribute_size(const std::string& name) const {
  const Attribute attribute = open_attribute(*this, name);
  return static_cast<std::size_t>(size_of(attribute.space.id(), attribute.where));
}

void Object::read_attribute(const std::string& name, Number type, void* values) const {
  const Attribute attribute = open_attribute(*this, name);
  const Kind kind = kind_of(attribute.type.id());
  check_input(kind == Kind::kInteger || kind == Kind::kFloat || kind == Kind::kBool,
              "{} must hold numbers", attribute.where);
  call(attribute.where, "read it", H5Aread, attribute.attribute.id(), native_type(type), values);
}

void Object::set_text_attribute(const std::string& name, std::string_view value) {
  const std::string text(value);
  const char* pointer = text.c_str();
  const Handle scalar(H5Screate(H5S_SCALAR));
  replace_attribute(*this, name, text_type().id(), scalar.id(), &pointer);
}

void Object::set_texts_attribute(const std::string& name, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  replace_attribute(*this, name, text_type().id(), line_of(values.size()).id(),
                    values.empty() ? nullptr : pointers.data());
}

void Object::set_bool_attribute(const std::string& name, bool value) {
  const std::int8_t stored = value ? 1 : 0;
  const Handle scalar(H5Screate(H5S_SCALAR));
  replace_attribute(*this, name, bool_type().id(), scalar.id(), &stored);
}

void Object::write_attribute(const std::string& name, Number type, std::size_t count,
                             const void* values) {
  replace_attribute(*this, name, native_type(type), line_of(count).id(),
                    count == 0 ? nullptr : values);
}

}  // namespace lodestone::hdf5
