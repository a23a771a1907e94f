#include "tests/gpu/runtime/fat_binary.h"

#include <cstdint>
#include <cstring>

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

struct Wrapper {
  std::uint32_t magic, version;
  const unsigned char* data;
  const void* filename;
};
constexpr std::uint32_t kWrapperMagic = 0x466243b1;
constexpr std::uint32_t kContainerMagic = 0xba55ed50;

template <class T>
T read(const unsigned char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The fields of an entry that are needed, at their offsets.
struct Entry {
  explicit Entry(const unsigned char* at)
      : kind(read<std::uint16_t>(at)),
        header_bytes(read<std::uint32_t>(at + 4)),
        payload_bytes(read<std::uint64_t>(at + 8)),
        flags(read<std::uint64_t>(at + 40)) {}
  bool is_ptx() const { return kind == 1; }
  bool is_compressed() const { return (flags & 0xa000) != 0; }

  std::uint16_t kind;
  std::uint32_t header_bytes;
  std::uint64_t payload_bytes;
  std::uint64_t flags;
};

}  // namespace

std::string ptx_of_fat_binary(const void* wrapper) {
  const auto* outer = static_cast<const Wrapper*>(wrapper);
  check_input(outer->magic == kWrapperMagic && read<std::uint32_t>(outer->data) == kContainerMagic,
              "what the program registered is no fat binary");
  const auto header_bytes = read<std::uint16_t>(outer->data + 6);
  const auto content_bytes = read<std::uint64_t>(outer->data + 8);
  const unsigned char* at = outer->data + header_bytes;
  const unsigned char* end = at + content_bytes;
  while (at < end) {
    const Entry entry(at);
    if (entry.is_ptx()) {
      check_input(!entry.is_compressed(),
                  "the PTX of a fat binary is compressed: compile with --no-compress");
      const char* text = reinterpret_cast<const char*>(at + entry.header_bytes);
      return {text, strnlen(text, entry.payload_bytes)};
    }
    at += entry.header_bytes + entry.payload_bytes;
  }
  fail(ErrorKind::kBadInput,
       "a fat binary holds no PTX: compile with -gencode=arch=compute_XX,code=[compute_XX,sm_XX]");
}

}  // namespace lodestone::ptx
