#include "data/table_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "engine/core/check.h"

namespace lodestone {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

// zlib reads files that are not compressed as they are.
struct TableFile::Stream {
  explicit Stream(const std::filesystem::path& path) : file(gzopen(path.c_str(), "rb")) {
    if (file == nullptr)
      fail(errno == ENOENT ? ErrorKind::kBadInput : ErrorKind::kIo,
           "{}: cannot be opened: {}; check the path", path.string(), std::strerror(errno));
  }
  ~Stream() { gzclose(file); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The next line without its end; false when there is none.
  bool line(std::string& text, const std::filesystem::path& path) {
    text.clear();
    std::array<char, 1 << 14> chunk;
    while (gzgets(file, chunk.data(), static_cast<int>(chunk.size())) != nullptr) {
      text += chunk.data();
      if (text.ends_with('\n')) {
        text.pop_back();
        return true;
      }
    }
    int status = Z_OK;
    const char* message = gzerror(file, &status);
    if (status != Z_OK && status != Z_STREAM_END)
      fail(ErrorKind::kBadInput, "{}: cannot be decompressed ({}); copy the file again",
           path.string(), message);
    return !text.empty();
  }

  gzFile file;
};

TableFile::TableFile(const std::filesystem::path& path)
    : path_(path), stream_(std::make_unique<Stream>(path)) {
  check_input(read_row(header_), "{}: is empty, expected a header line of tab-separated names",
              path.string());
  // No text in UTF-8 begins with such a byte; formats begin with one so that they are told apart.
  check_input(header_[0].empty() || (static_cast<unsigned char>(header_[0][0]) & 0xC0) != 0x80,
              "{}: is no text table, expected a header line of tab-separated names", path.string());
}

TableFile::~TableFile() = default;

bool TableFile::read_row(std::vector<std::string>& row) {
  std::string text;
  do {
    if (!stream_->line(text, path_)) return false;
    ++line_;
    if (text.ends_with('\r')) text.pop_back();
  } while (text.empty());
  row.clear();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\t', begin), text.size());
    row.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return true;
}

bool TableFile::next() {
  if (!read_row(row_)) return false;
  check_input(row_.size() == header_.size(), "{}: has {} tab-separated fields, the header has {}",
              where(), row_.size(), header_.size());
  return true;
}

int TableFile::find_column(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names)
    for (std::size_t i = 0; i < header_.size(); ++i)
      if (same_word(header_[i], name)) return static_cast<int>(i);
  return -1;
}

int TableFile::column(std::string_view what, std::initializer_list<std::string_view> names) const {
  const int found = find_column(names);
  check_input(found >= 0, "{}: no column with the {}; expected a header with one of {}, found {}",
              path_.string(), what, fmt::join(names, ", "), fmt::join(header_, ", "));
  return found;
}

double TableFile::number(int column) const {
  const std::string& text = field(column);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check_input(error == std::errc() && end == text.data() + text.size() && std::isfinite(value),
              "{}: column {} is '{}', expected a finite number", where(),
              header_[static_cast<std::size_t>(column)], text);
  return value;
}

std::string TableFile::where() const {
  return fmt::format("{} line {}", path_.string(), line_);
}

}  // namespace lodestone
