#include "train/event_file.h"

#include <array>
#include <bit>
#include <cstring>

namespace lodestone {

namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr std::size_t kHeaderBytes = 12, kFooterBytes = 4;

// Wire types of protocol buffers.
enum Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Numbers of the fields.
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;  // Event
constexpr int kValue = 1;                                                                 // Summary
constexpr int kTag = 1, kSimpleValue = 2;  // Summary.Value
constexpr int kStatus = 1, kStart = 1;     // SessionLog

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  constexpr std::uint32_t kPolynomial = 0x82F63B78;  // 0x1EDC6F41, lowest bit first
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? kPolynomial : 0);
    table[byte] = rest;
  }
  return table;
}();

// So that a checksum of data that holds checksums is still one.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U;
}

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | wire);
}

std::string number(int field, std::int64_t value) {
  return value == 0 ? "" : key(field, kVarint) + varint(static_cast<std::uint64_t>(value));
}

std::string message(int field, std::string_view bytes) {
  return key(field, kBytes) + varint(bytes.size()).append(bytes);
}

std::string event(double time, std::int64_t step) {
  return key(kWallTime, kFixed64) + raw(time) + number(kStep, step);
}

std::string record(const std::string& data) {
  const std::string length = raw(std::uint64_t{data.size()});
  return length + raw(masked_crc(length)) + data + raw(masked_crc(data));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t rest = ~0U;
  for (const char byte : bytes)
    rest = (rest >> 8) ^ kCrcTable[(rest ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~rest;
}

std::string version_record(double time) {
  return record(event(time, 0) + message(kFileVersion, "brain.Event:2"));
}

std::string restart_record(double time, std::int64_t step) {
  return record(event(time, step) + message(kSessionLog, number(kStatus, kStart)));
}

std::string scalars_record(double time, std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars)
    summary += message(kValue,
                       message(kTag, scalar.tag) + key(kSimpleValue, kFixed32) + raw(scalar.value));
  return record(event(time, step) + message(kSummary, summary));
}

std::size_t whole_records(std::string_view bytes) {
  std::size_t whole = 0;
  while (bytes.size() - whole >= kHeaderBytes + kFooterBytes) {
    const std::string_view rest = bytes.substr(whole), length = rest.substr(0, 8);
    std::uint64_t size = 0;
    std::memcpy(&size, length.data(), sizeof size);
    if (rest.substr(8, 4) != raw(masked_crc(length))) break;
    if (size > rest.size() - kHeaderBytes - kFooterBytes) break;
    const std::string_view data = rest.substr(kHeaderBytes, size);
    if (rest.substr(kHeaderBytes + size, 4) != raw(masked_crc(data))) break;
    whole += kHeaderBytes + size + kFooterBytes;
  }
  return whole;
}

}  // namespace lodestone
