#include "tests/testing/event_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string_view>

#include "engine/io/files.h"

namespace lodestone::testing {

namespace fs = std::filesystem;

namespace {

// Fields of a protocol buffer, in any order and number.
class Message {
 public:
  explicit Message(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::uint64_t key = varint(bytes);
      std::string_view value;
      std::uint64_t number = 0;
      switch (key & 7) {
        case 0:
          number = varint(bytes);
          break;
        case 1:
          value = take(bytes, 8);
          break;
        case 2:
          value = take(bytes, varint(bytes));
          break;
        case 5:
          value = take(bytes, 4);
          break;
        default:
          throw std::runtime_error("wire type");
      }
      fields_.push_back({static_cast<int>(key >> 3), std::string(value), number});
    }
  }
  std::vector<std::string> all(int field) const {
    std::vector<std::string> values;
    for (const Field& f : fields_)
      if (f.number == field) values.push_back(f.bytes);
    return values;
  }
  std::uint64_t integer(int field) const {
    for (const Field& f : fields_)
      if (f.number == field) return f.integer;
    return 0;
  }

 private:
  struct Field {
    int number;
    std::string bytes;
    std::uint64_t integer;
  };
  static std::string_view take(std::string_view& bytes, std::uint64_t size) {
    const std::string_view taken = bytes.substr(0, size);
    if (taken.size() != size) throw std::runtime_error("short message");
    bytes.remove_prefix(size);
    return taken;
  }
  static std::uint64_t varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(bytes, 1).front());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  std::vector<Field> fields_;
};

}  // namespace

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> shown_scalars(const fs::path& folder) {
  std::map<std::string, std::map<std::uint64_t, std::string>> values;  // by tag and step
  for (const fs::path& file : event_files(folder)) {
    const std::string bytes = read_text(file);
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint64_t size = 0;
      if (bytes.size() - at < 16) throw std::runtime_error(file.string() + " is torn");
      std::memcpy(&size, bytes.data() + at, sizeof size);
      if (bytes.size() - at - 16 < size) throw std::runtime_error(file.string() + " is torn");
      const Message event(std::string_view(bytes).substr(at + 12, size));
      at += 12 + size + 4;
      const std::uint64_t step = event.integer(2);
      for (const std::string& log : event.all(7))
        if (Message(log).integer(1) == 1)
          for (auto& [tag, steps] : values) steps.erase(steps.lower_bound(step), steps.end());
      for (const std::string& summary : event.all(5))
        for (const std::string& bytes_of_value : Message(summary).all(1)) {
          const Message value(bytes_of_value);
          float number = 0;
          std::memcpy(&number, value.all(2).at(0).data(), sizeof number);
          values[value.all(1).at(0)][step] = fmt::format("{:.9g}", number);
        }
    }
  }
  std::vector<std::string> lines;
  for (const auto& [tag, steps] : values)
    for (const auto& [step, value] : steps)
      lines.push_back(fmt::format("{} {} {}", tag, step, value));
  return lines;
}

}  // namespace lodestone::testing
