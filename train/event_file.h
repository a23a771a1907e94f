#pragma once
// The bytes of TensorBoard's event files: TFRecords (length, its checksum, data, its checksum) of
// the protocol buffers `Event` and `Summary` (tensorflow/core/util/event.proto and summary.proto),
// of which only what is needed here is written.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lodestone {

struct Scalar {
  std::string tag;
  float value = 0;
};

// Each returns one record; `time` in seconds since 1970.
// The first of a file.
std::string version_record(double time);
// Everything of this step and later that readers met before is void.
std::string restart_record(double time, std::int64_t step);
std::string scalars_record(double time, std::int64_t step, std::span<const Scalar> scalars);

// How many of the bytes are whole records with the right checksums, from the first on.
std::size_t whole_records(std::string_view bytes);

// CRC-32C (Castagnoli): of "123456789" it is 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace lodestone
