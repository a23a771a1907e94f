#pragma once
// Inside engine/io/hdf5_*.cpp only: the C library, and calls whose failure throws.
#include <hdf5.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/core/check.h"
#include "engine/io/hdf5.h"

namespace lodestone::hdf5 {

// Stops the library from printing its errors; a setting of each thread.
void silence_library();
// What a message of the library tells of: kOutOfMemory for a full disk, kIo for one that cannot be
// read or written, else kBadInput.
ErrorKind kind_of_failure(const std::string& message);
// Throws what the library's error stack says.
[[noreturn]] void throw_library_error(const std::string& where, const char* doing);
// Throws when something could not be closed, and so not be written out, since the last call.
void throw_failed_close(const std::string& where);
// The innermost message of the library's error stack.
std::string library_message();

// function(arguments...), whose negative result throws.
template <class Function, class... Arguments>
auto call(const std::string& where, const char* doing, Function* function, Arguments... arguments) {
  silence_library();
  const auto result = function(arguments...);
  if (std::is_signed_v<decltype(result)> && result < 0) throw_library_error(where, doing);
  return result;
}

// The library's type for such numbers, in memory and in the files that are written.
hid_t native_type(Number type);
Handle text_type();  // variable-length UTF-8
Handle bool_type();  // enumeration over int8 {FALSE = 0, TRUE = 1}
Kind kind_of(hid_t type);
std::vector<std::int64_t> shape_of(hid_t space);
// Elements of a space; throws kBadInput when a file's shape overflows.
std::int64_t size_of(hid_t space, const std::string& where);
// Strings of one read or attribute: `read(type, buffer)` fills a buffer laid out as `type` says.
template <class Read>
std::vector<std::string> decode_texts(hid_t type, hid_t space, const std::string& where,
                                      const Read& read) {
  const auto count = static_cast<std::size_t>(size_of(space, where));
  std::vector<std::string> texts(count);
  if (count == 0) return texts;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(count, nullptr);
    read(pointers.data());
    for (std::size_t i = 0; i < count; ++i)
      if (pointers[i] != nullptr) texts[i] = pointers[i];
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
    return texts;
  }
  const std::size_t width = H5Tget_size(type);
  std::string bytes(count * width, '\0');
  read(bytes.data());
  const bool padded_with_spaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < count; ++i) {
    std::string& text = texts[i] = bytes.substr(i * width, width);
    text.erase(std::min(text.find('\0'), text.size()));
    if (padded_with_spaces) text.erase(text.find_last_not_of(' ') + 1);
  }
  return texts;
}

}  // namespace lodestone::hdf5
