#include "tests/gpu/conformance/recording.h"

#include <charconv>
#include <fstream>
#include <system_error>

#include "engine/core/check.h"

namespace lodestone::gpu_tests {

namespace {

constexpr std::string_view kTitle = "conformance recorded on ", kInputs = ", inputs ";
constexpr std::size_t kWordsPerLine = 8;

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), file_(path) {
    if (!file_) fail(ErrorKind::kIo, "{}: the recording cannot be read", path.string());
  }

  Recording read() {
    Recording recording;
    next();
    if (!line_.starts_with(kTitle)) refuse(fmt::format("'{}' and a device", kTitle));
    recording.device = line_.substr(kTitle.size());
    RecordedResults* kernel = nullptr;
    while (next()) {
      const std::size_t comma = line_.find(kInputs);
      if (comma != std::string::npos) {
        kernel = &recording.kernels[line_.substr(0, comma)];
        kernel->inputs = word(std::string_view(line_).substr(comma + kInputs.size()));
      } else if (kernel == nullptr) {
        refuse("a kernel's name and its inputs");
      } else {
        read_words(kernel->words);
      }
    }
    return recording;
  }

 private:
  bool next() {
    ++number_;
    return static_cast<bool>(std::getline(file_, line_));
  }

  void read_words(std::vector<std::uint32_t>& words) {
    std::string_view rest = line_;
    while (!rest.empty()) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      words.push_back(word(rest.substr(0, space)));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
  }

  std::uint32_t word(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || text.size() != 8 || end != text.data() + text.size()) {
      refuse("words of eight hexadecimal digits");
    }
    return value;
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    fail(ErrorKind::kBadInput, "{}, line {}: {} expected, found '{}'", path_.string(), number_,
         expected, line_);
  }

  std::filesystem::path path_;
  std::ifstream file_;
  std::string line_;
  int number_ = 0;
};

}  // namespace

void write_recording(const Recording& recording, const std::filesystem::path& path) {
  std::string text = fmt::format("{}{}\n", kTitle, recording.device);
  for (const auto& [name, kernel] : recording.kernels) {
    text += fmt::format("{}{}{:08x}\n", name, kInputs, kernel.inputs);
    for (std::size_t i = 0; i < kernel.words.size(); ++i) {
      const bool ends_line = (i + 1) % kWordsPerLine == 0 || i + 1 == kernel.words.size();
      text += fmt::format("{:08x}{}", kernel.words[i], ends_line ? '\n' : ' ');
    }
  }
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) fail(ErrorKind::kIo, "{}: the recording cannot be written", path.string());
}

Recording read_recording(const std::filesystem::path& path) {
  return Reader(path).read();
}

std::vector<std::string> differences(const Recording& recording, const std::string& kernel,
                                     const RecordedResults& found,
                                     const std::vector<Outcome>& outcomes) {
  const auto place = recording.kernels.find(kernel);
  if (place == recording.kernels.end()) {
    return {fmt::format("{} is not in the recording: record it again", kernel)};
  }
  const RecordedResults& recorded = place->second;
  if (recorded.inputs != found.inputs || recorded.words.size() != found.words.size()) {
    return {fmt::format(
        "{}: recorded are {} words of operands {:08x}, found {} of {:08x}: record it "
        "again",
        kernel, recorded.words.size(), recorded.inputs, found.words.size(), found.inputs)};
  }
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < found.words.size(); ++i) {
    if (outcomes[i].agrees(recorded.words[i], found.words[i])) continue;
    sentences.push_back(fmt::format("{}, word {}: expected {:08x} as recorded, found {:08x}",
                                    kernel, i, recorded.words[i], found.words[i]));
  }
  return sentences;
}

}  // namespace lodestone::gpu_tests
