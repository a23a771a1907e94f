#include "data/cell_labels.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/core/check.h"

namespace lodestone {
namespace {

constexpr std::size_t kMostCategories = 1000;

const ObsColumn* find_column(const CellSource& source, const std::string& name) {
  for (const ObsColumn& column : source.obs())
    if (column.name == name) return &column;
  return nullptr;
}

// Hands out codes in the order in which labels are first asked for.
class CodeBook {
 public:
  // -1 for an empty label: it is missing.
  std::int32_t code_of(const std::string& label) {
    if (label.empty()) return -1;
    const auto [place, is_new] =
        codes_.try_emplace(label, static_cast<std::int32_t>(categories_.size()));
    if (is_new) categories_.push_back(label);
    return place->second;
  }
  std::vector<std::string> take() { return std::move(categories_); }

 private:
  std::unordered_map<std::string, std::int32_t> codes_;
  std::vector<std::string> categories_;
};

// Appends the codes of a file's kept cells.
void append_codes(const CheckedFile& file, const std::string& name, CodeBook& book,
                  std::vector<std::int32_t>& codes) {
  constexpr std::int32_t kUnknown = -2;
  const ObsColumn* const column = name == "species" ? nullptr : find_column(*file.source, name);
  std::string of_all;  // when the file does not tell cells apart
  if (name == "species") of_all = file.report.species;
  if (name == "dataset") of_all = file.source->path().stem().string();
  std::vector<std::int32_t> known(column ? column->categories.size() : 0, kUnknown);
  for (std::size_t cell = 0; cell < file.quality.verdicts.size(); ++cell) {
    if (file.quality.verdicts[cell] != Verdict::kKept) continue;
    if (column == nullptr) {
      codes.push_back(book.code_of(of_all));
      continue;
    }
    const std::int32_t own = column->codes[cell];
    if (own < 0) {
      codes.push_back(-1);
      continue;
    }
    const auto at = static_cast<std::size_t>(own);
    if (known[at] == kUnknown) known[at] = book.code_of(column->categories[at]);
    codes.push_back(known[at]);
  }
}

}  // namespace

std::vector<std::string> obs_columns(std::span<const CheckedFile> files,
                                     const std::vector<std::string>& wanted) {
  const bool automatic = wanted == std::vector<std::string>{"auto"};
  std::vector<std::string> names = {"dataset", "species"};
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  std::vector<std::string> present;
  for (const CheckedFile& file : files) {
    for (const ObsColumn& column : file.source->obs()) {
      present.push_back(column.name);
      if (automatic && !column.numeric && column.categories.size() <= kMostCategories)
        add(column.name);
    }
  }
  if (automatic) return names;
  for (const std::string& name : wanted) {
    add(name);
    check(name == "dataset" || name == "species" ||
              std::find(present.begin(), present.end(), name) != present.end(),
          "obs: no file has a column '{}', the first has {}", name,
          fmt::join(present.begin(),
                    present.begin() + static_cast<std::ptrdiff_t>(files[0].source->obs().size()),
                    ", "));
  }
  return names;
}

ObsColumn labels_of(std::span<const CheckedFile> files, const std::string& name) {
  ObsColumn column{name, {}, {}};
  CodeBook book;
  for (const CheckedFile& file : files) append_codes(file, name, book, column.codes);
  column.categories = book.take();
  return column;
}

}  // namespace lodestone
