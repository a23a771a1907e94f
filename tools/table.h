#pragma once
#include <string>
#include <vector>

namespace lodestone::tools {

// Plain text in aligned columns for people; programs ask for --json.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  // One line a row, columns two spaces apart, no trailing spaces. An empty header is left out.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lodestone::tools
