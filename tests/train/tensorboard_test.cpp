#include "train/tensorboard.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;

// What a reader shows of a folder: a line "TAG STEP VALUE" for each value that is not void.
using Shown = std::vector<std::string>;

// A reader of our own, from the description of the format alone: fields of any order and number.
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

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Shown shown_by_us(const fs::path& folder) {
  std::map<std::string, std::map<std::uint64_t, std::string>> values;  // by tag and step
  for (const fs::path& file : event_files(folder)) {
    const std::string bytes = read_text(file);
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint64_t size = 0;
      std::memcpy(&size, bytes.data() + at, sizeof size);
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
  Shown lines;
  for (const auto& [tag, steps] : values)
    for (const auto& [step, value] : steps)
      lines.push_back(fmt::format("{} {} {}", tag, step, value));
  return lines;
}

// A Python that has the package: LODESTONE_TENSORBOARD_PYTHON or the tests' own.
std::string python_with_tensorboard() {
  for (const char* name : {"LODESTONE_TENSORBOARD_PYTHON", "LODESTONE_PYTHON"})
    if (const char* python = std::getenv(name); python && *python)
      if (std::system(fmt::format("'{}' -c 'import tensorboard' 2>/dev/null", python).c_str()) == 0)
        return python;
  return "";
}

Shown shown_by_tensorboard(const std::string& python, const fs::path& folder) {
  const std::string command =
      fmt::format("'{}' tests/train/tensorboard_peer.py '{}' 2>/dev/null", python, folder.string());
  std::FILE* pipe = ::popen(command.c_str(), "r");
  Shown lines;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe))
    lines.emplace_back(line.data(), std::strlen(line.data()) - 1);
  EXPECT_EQ(::pclose(pipe), 0);
  return lines;
}

StepReport step_report(std::int64_t step, double loss) {
  return {.step = step,
          .batch_cells = 4,
          .batch_tokens = 400,
          .loss = loss,
          .id_loss = 2 * loss,
          .value_loss = 0.25,
          .learning_rate = 1e-4,
          .gradient_norm = 3,
          .seconds = 0.5,
          .wait_seconds = 0.125};
}

class TensorBoard : public ::testing::Test {
 protected:
  // Steps 1 to 5 and a validation, then again from 3 on.
  void write_resumed_run() {
    {
      TensorBoardLog log(folder_.path(), 0);
      for (int step = 1; step <= 5; ++step) log.write(step_report(step, 10 + step));
      log.write(ValidationReport{.loss = 7, .id_loss = 8, .value_loss = 9}, 4);
      log.flush();
    }
    TensorBoardLog log(folder_.path(), 3);
    for (int step = 4; step <= 6; ++step) log.write(step_report(step, 20 + step));
    log.write(ValidationReport{.loss = 0.5, .id_loss = 1.5, .value_loss = 2.5}, 6);
  }
  Shown expected_losses() const {
    return {"train/loss 1 11", "train/loss 2 12", "train/loss 3 13",
            "train/loss 4 24", "train/loss 5 25", "train/loss 6 26"};
  }
  static Shown only(const Shown& lines, const std::string& tag) {
    Shown some;
    for (const std::string& line : lines)
      if (line.starts_with(tag + " ")) some.push_back(line);
    return some;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(TensorBoard, AResumedRunVoidsTheStepsItDoesAgain) {
  write_resumed_run();
  EXPECT_EQ(event_files(folder_.path()).size(), 2U);
  const Shown lines = shown_by_us(folder_.path());
  EXPECT_EQ(only(lines, "train/loss"), expected_losses());
  EXPECT_EQ(only(lines, "validation/loss"), Shown{"validation/loss 6 0.5"});
  EXPECT_EQ(only(lines, "speed/tokens_per_s").at(0), "speed/tokens_per_s 1 800");
  EXPECT_EQ(only(lines, "speed/data_wait_ms").at(5), "speed/data_wait_ms 6 125");
  EXPECT_EQ(lines.size(), 6U * 8 + 3);
}

TEST_F(TensorBoard, ItsOwnReaderSeesTheSame) {
  const std::string python = python_with_tensorboard();
  if (python.empty())
    GTEST_SKIP()
        << "no Python with the package tensorboard; LODESTONE_TENSORBOARD_PYTHON may name one";
  write_resumed_run();
  EXPECT_EQ(shown_by_tensorboard(python, folder_.path()), shown_by_us(folder_.path()));
}

TEST_F(TensorBoard, TornRecordsAreCutOff) {
  { TensorBoardLog(folder_.path(), 0).write(step_report(1, 11)); }
  const fs::path file = event_files(folder_.path()).front();
  const auto whole = fs::file_size(file);
  fs::resize_file(file, whole + 40);  // zeros
  { TensorBoardLog(folder_.path(), 1).write(step_report(2, 12)); }
  EXPECT_EQ(fs::file_size(file), whole);
  fs::resize_file(file, whole - 3);
  TensorBoardLog(folder_.path(), 0).write(step_report(1, 31));
  EXPECT_EQ(only(shown_by_us(folder_.path()), "train/loss"), Shown{"train/loss 1 31"});
}

}  // namespace
}  // namespace lodestone
