#include "data/h5ad_frame.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "data/gene_id.h"
#include "engine/core/check.h"
#include "engine/core/log.h"

namespace lodestone {
namespace {

using hdf5::Dataset;
using hdf5::Group;
using hdf5::Kind;

std::string encoding_of(const hdf5::Object& object) {
  return object.has_attribute("encoding-type") ? object.text_attribute("encoding-type") : "";
}

// Labels in order of first appearance.
class Labels {
 public:
  Labels(std::string name, bool numeric) {
    column_.name = std::move(name);
    column_.numeric = numeric;
  }
  void add(std::string text) {
    const auto next = static_cast<std::int32_t>(column_.categories.size());
    const auto [place, is_new] = code_of_.try_emplace(std::move(text), next);
    if (is_new) column_.categories.push_back(place->first);
    column_.codes.push_back(place->second);
  }
  void add_missing() { column_.codes.push_back(-1); }
  ObsColumn take() { return std::move(column_); }

 private:
  ObsColumn column_;
  std::unordered_map<std::string, std::int32_t> code_of_;
};

bool holds_numbers(const Dataset& values) {
  return values.kind() == Kind::kInteger || values.kind() == Kind::kFloat;
}

bool is_readable(const Dataset& values) {
  return values.kind() != Kind::kOther && values.shape().size() == 1;
}

std::vector<std::string> bools_as_texts(const Dataset& values) {
  std::vector<std::string> texts;
  for (const std::uint8_t value : values.read<std::uint8_t>())
    texts.emplace_back(value != 0 ? "True" : "False");
  return texts;
}

// NaN becomes an empty text.
template <class T>
std::vector<std::string> numbers_as_texts(const Dataset& values) {
  std::vector<std::string> texts;
  for (const T value : values.read<T>()) {
    const bool missing = std::is_floating_point_v<T> && std::isnan(static_cast<double>(value));
    texts.push_back(missing ? std::string() : fmt::format("{}", value));
  }
  return texts;
}

std::vector<std::string> as_texts(const Dataset& values) {
  switch (values.kind()) {
    case Kind::kText:
      return values.read_texts();
    case Kind::kBool:
      return bools_as_texts(values);
    case Kind::kFloat:
      return values.element_bytes() <= 4 ? numbers_as_texts<float>(values)
                                         : numbers_as_texts<double>(values);
    case Kind::kInteger:
      return numbers_as_texts<std::int64_t>(values);
    case Kind::kOther:
      break;
  }
  fail(ErrorKind::kBadInput, "{}: must hold strings, numbers or booleans", values.where());
}

ObsColumn read_plain(const Dataset& values, const std::string& name) {
  const bool empty_is_missing = values.kind() == Kind::kFloat;
  Labels labels(name, holds_numbers(values));
  for (std::string& text : as_texts(values)) {
    if (empty_is_missing && text.empty())
      labels.add_missing();
    else
      labels.add(std::move(text));
  }
  return labels.take();
}

ObsColumn read_categorical(const Group& group, const std::string& name) {
  const Dataset codes = group.dataset("codes");
  ObsColumn column{name, {}, as_texts(group.dataset("categories")), false};
  check_input(codes.kind() == Kind::kInteger, "{}: must hold integers", codes.where());
  const auto categories = static_cast<std::int64_t>(column.categories.size());
  for (const std::int64_t code : codes.read<std::int64_t>()) {
    if (code < -1 || code >= categories)
      fail(ErrorKind::kBadInput, "{}: code {} of row {} is outside [-1, {})", codes.where(), code,
           column.codes.size(), categories);
    column.codes.push_back(static_cast<std::int32_t>(code));
  }
  return column;
}

ObsColumn read_nullable(const Group& group, const std::string& name) {
  const Dataset values = group.dataset("values");
  const std::vector<std::string> texts = as_texts(values);
  const std::vector<std::uint8_t> mask = group.dataset("mask").read<std::uint8_t>();
  check_input(mask.size() == texts.size(), "{}: has {} values but a mask of {}", group.where(),
              texts.size(), mask.size());
  Labels labels(name, holds_numbers(values));
  for (std::size_t row = 0; row < texts.size(); ++row) {
    if (mask[row] != 0)
      labels.add_missing();
    else
      labels.add(texts[row]);
  }
  return labels.take();
}

std::optional<ObsColumn> decode_column(const Group& frame, const std::string& name) {
  if (frame.has_dataset(name)) {
    const Dataset values = frame.dataset(name);
    check_input(!values.has_attribute("categories"),
                "{}: is a categorical of anndata < 0.8; re-save the file with anndata >= 0.8",
                values.where());
    if (is_readable(values)) return read_plain(values, name);
    log::warning("{}: skipped: it is not a column of strings, numbers or booleans", values.where());
    return std::nullopt;
  }
  const Group group = frame.group(name);
  const std::string encoding = encoding_of(group);
  if (encoding == "categorical") return read_categorical(group, name);
  if (encoding == "nullable-integer" || encoding == "nullable-boolean" ||
      encoding == "nullable-string-array")
    return read_nullable(group, name);
  log::warning("{}: skipped: its encoding '{}' is not known", group.where(), encoding);
  return std::nullopt;
}

std::vector<std::string> labels_of(const ObsColumn& column) {
  std::vector<std::string> labels;
  labels.reserve(column.codes.size());
  for (const std::int32_t code : column.codes)
    labels.push_back(code < 0 ? std::string() : column.categories[static_cast<std::size_t>(code)]);
  return labels;
}

// The labels of the first of these columns that the frame has, and that `accepts`.
template <class Accepts>
std::optional<std::vector<std::string>> first_column(const Group& frame, std::int64_t rows,
                                                     std::initializer_list<const char*> names,
                                                     const Accepts& accepts) {
  for (const char* name : names) {
    if (!frame.has(name)) continue;
    const std::optional<ObsColumn> column = read_frame_column(frame, name, rows);
    if (!column) continue;
    std::vector<std::string> labels = labels_of(*column);
    if (accepts(labels)) return labels;
  }
  return std::nullopt;
}

// Do most of these look like Ensembl ids?
bool are_gene_ids(const std::vector<std::string>& texts) {
  const auto ids = std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
    return parse_gene_id(text).has_value();
  });
  return 2 * static_cast<std::size_t>(ids) > texts.size();
}

void check_unique(const std::vector<GeneRecord>& genes, const Group& frame) {
  std::unordered_map<std::string_view, std::size_t> row_of_id;
  for (std::size_t row = 0; row < genes.size(); ++row) {
    const auto [first, is_new] = row_of_id.try_emplace(genes[row].id, row);
    if (!is_new)
      fail(ErrorKind::kBadInput, "{}: gene id '{}' stands in rows {} and {}; make gene ids unique",
           frame.where(), genes[row].id, first->second, row);
  }
}

}  // namespace

Group open_frame(const Group& root, const std::string& name) {
  check_input(root.has(name), "{}: no '{}' in the file; is it an .h5ad file?", root.where(), name);
  const bool is_current = root.has_group(name) && encoding_of(root.group(name)) == "dataframe" &&
                          root.group(name).text_attribute("encoding-version") != "0.1.0";
  check_input(
      is_current,
      "{}: '{}' is not a data frame of anndata >= 0.8; re-save the file with anndata >= 0.8",
      root.where(), name);
  return root.group(name);
}

std::vector<std::string> read_frame_index(const Group& frame) {
  const std::string name = frame.text_attribute("_index");
  if (frame.has_dataset(name)) return as_texts(frame.dataset(name));
  const std::optional<ObsColumn> column = decode_column(frame, name);
  if (!column) fail(ErrorKind::kBadInput, "{}: its index '{}' cannot be read", frame.where(), name);
  return labels_of(*column);
}

std::optional<ObsColumn> read_frame_column(const Group& frame, const std::string& name,
                                           std::int64_t rows) {
  check_input(frame.has(name), "{}: the column '{}' is listed but missing", frame.where(), name);
  std::optional<ObsColumn> column = decode_column(frame, name);
  check_input(!column || static_cast<std::int64_t>(column->codes.size()) == rows,
              "{}: the column '{}' has {} entries for {} rows", frame.where(), name,
              column ? column->codes.size() : 0, rows);
  return column;
}

std::vector<ObsColumn> read_frame_columns(const Group& frame, std::int64_t rows) {
  std::vector<ObsColumn> columns;
  for (const std::string& name : frame.texts_attribute("column-order"))
    if (std::optional<ObsColumn> column = read_frame_column(frame, name, rows))
      columns.push_back(std::move(*column));
  return columns;
}

std::vector<GeneRecord> read_genes(const Group& frame) {
  std::vector<std::string> index = read_frame_index(frame);
  const auto rows = static_cast<std::int64_t>(index.size());
  const auto any = [](const auto&) { return true; };
  std::optional<std::vector<std::string>> ids, symbols;
  if (!are_gene_ids(index))
    ids = first_column(frame, rows, {"gene_ids", "ensembl_id", "gene_id", "feature_id", "ensembl"},
                       are_gene_ids);
  if (ids)
    symbols = index;
  else
    symbols = first_column(
        frame, rows,
        {"feature_name", "symbol", "gene_name", "gene_symbol", "gene_symbols", "gene_short_name"},
        any);
  const auto biotypes = first_column(frame, rows, {"biotype", "gene_biotype", "gene_type"}, any);
  std::vector<GeneRecord> genes(index.size());
  for (std::size_t row = 0; row < genes.size(); ++row) {
    // A gene without an id of its own keeps its index.
    genes[row].id = ids && !(*ids)[row].empty() ? (*ids)[row] : index[row];
    if (symbols) genes[row].symbol = (*symbols)[row];
    if (biotypes) genes[row].biotype = (*biotypes)[row];
  }
  check_unique(genes, frame);
  return genes;
}

}  // namespace lodestone
