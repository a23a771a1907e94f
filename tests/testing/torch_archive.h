#pragma once
// torch checkpoints whose pickle a test makes up, byte by byte.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "engine/io/stored_zip.h"

namespace lodestone::testing {

template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The opcode that pushes a text.
inline std::string pickled(const std::string& text) {
  return "X" + bytes_of(static_cast<std::uint32_t>(text.size())) + text;
}

// A pickle that runs a command when Python loads it.
inline std::string pickled_command(const std::string& command) {
  return "\x80\x02"
         "cos\nsystem\n(" +
         pickled(command) + "tR.";
}

inline void write_member(StoredZipWriter& zip, const std::string& name, const std::string& bytes) {
  zip.add(name, std::as_bytes(std::span(bytes)));
}

// A checkpoint with this pickle and the storage 0: f32 0, 1, ..., 5.
inline void write_torch_archive(const std::filesystem::path& path, const std::string& pickle) {
  StoredZipWriter zip(path);
  write_member(zip, "m/data.pkl", pickle);
  std::string storage;
  for (int i = 0; i < 6; ++i) storage += bytes_of(static_cast<float>(i));
  write_member(zip, "m/data/0", storage);
  zip.finish();
}

}  // namespace lodestone::testing
