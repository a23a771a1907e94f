#pragma once
// Tab-separated text with a header line, plain or gzip.
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lodestone {

// Reads row by row. Every row must have as many fields as the header; "\r" before the line's end is
// dropped. Throws kIo when the file cannot be read and kBadInput, naming file and line, when it is
// missing or no such table.
class TableFile {
 public:
  explicit TableFile(const std::filesystem::path& path);
  ~TableFile();
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<std::string>& header() const { return header_; }
  // The column that has one of these names (compared without case), or -1.
  int find_column(std::initializer_list<std::string_view> names) const;
  // The same, but throws kBadInput with `what` and the names when there is none.
  int column(std::string_view what, std::initializer_list<std::string_view> names) const;

  bool next();  // false at the end
  const std::string& field(int column) const { return row_[static_cast<std::size_t>(column)]; }
  // The field as a finite number.
  double number(int column) const;
  std::int64_t line() const { return line_; }  // of the current row, from 1
  std::string where() const;                   // "FILE line N"

 private:
  struct Stream;
  bool read_row(std::vector<std::string>& row);

  std::filesystem::path path_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::string> header_, row_;
  std::int64_t line_ = 0;
};

}  // namespace lodestone
