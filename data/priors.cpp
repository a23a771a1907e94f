#include "data/priors.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

#include "data/gene_id.h"
#include "engine/core/check.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

constexpr const char* kPresentSuffix = "_present";
constexpr const char* kSourceAttribute = "source";

bool is_prior_name(std::string_view name) {
  return std::find(kPriorNames.begin(), kPriorNames.end(), name) != kPriorNames.end();
}

// Finds genes by id or symbol.
class GeneFinder {
 public:
  static constexpr std::int32_t kUnknown = -1, kAmbiguous = -2;

  GeneFinder(const Vocabulary& vocabulary, std::optional<Species> species)
      : vocabulary_(vocabulary) {
    for (const GeneToken& token : vocabulary.tokens()) {
      if (token.symbol.empty() || (species && token.species != *species)) continue;
      const auto [entry, is_new] = token_of_symbol_.emplace(token.symbol, token.id);
      if (!is_new) entry->second = kAmbiguous;
    }
  }
  std::int32_t operator()(const std::string& gene) const {
    if (const auto id = parse_gene_id(gene)) {
      const GeneToken* token = vocabulary_.find(id->stem);
      return token == nullptr ? kUnknown : token->id;
    }
    const auto found = token_of_symbol_.find(gene);
    return found == token_of_symbol_.end() ? kUnknown : found->second;
  }

 private:
  const Vocabulary& vocabulary_;
  std::unordered_map<std::string, std::int32_t> token_of_symbol_;
};

void check_tables(const std::vector<PriorTable>& tables, const std::string& file) {
  check_input(!tables.empty(), "{}: holds no prior table; expected one or more of {}", file,
              fmt::join(kPriorNames, ", "));
  const Shape& first = tables[0].values.shape();
  for (const PriorTable& table : tables) {
    const Shape& shape = table.values.shape();
    check_input(shape.rank() == 2 && shape == first,
                "{}: {} has shape {} and {} has {}; expected the same [tokens, width]", file,
                tables[0].name, first.text(), table.name, shape.text());
    check_input(table.present.numel() == shape[0], "{}: {}{} has {} elements, expected {}", file,
                table.name, kPresentSuffix, table.present.numel(), shape[0]);
    const auto present = table.present.host<std::uint8_t>();
    check_input(std::all_of(present.begin(), present.end(), [](auto flag) { return flag <= 1; }),
                "{}: {}{} must hold 0 and 1 only", file, table.name, kPresentSuffix);
    const auto values = table.values.host<float>();
    const auto bad = std::find_if_not(values.begin(), values.end(),
                                      [](float value) { return std::isfinite(value); });
    check_input(bad == values.end(), "{}: {} of token {} has {}, expected finite numbers", file,
                table.name, (bad - values.begin()) / std::max<std::int64_t>(1, shape[1]),
                bad == values.end() ? 0 : *bad);
  }
}

PriorTable read_prior(const hdf5::File& file, const std::string& name) {
  const hdf5::Dataset values = file.dataset(name);
  const hdf5::Dataset present = file.dataset(name + kPresentSuffix);
  const auto shape = values.shape();
  check_input(shape.size() == 2 && shape[0] > 0 && shape[1] > 0,
              "{}: has shape [{}], expected [tokens, width]", values.where(),
              fmt::join(shape, ", "));
  PriorTable table;
  table.name = name;
  table.values = Tensor::empty(Shape(shape), DType::kF32, Device::cpu());
  values.read_rows_into(0, table.values.host<float>());
  table.present = Tensor::from(present.read<std::uint8_t>());
  if (values.has_attribute(kSourceAttribute))
    table.source = values.text_attribute(kSourceAttribute);
  return table;
}

void write_prior(hdf5::Group& file, const PriorTable& table) {
  check(is_prior_name(table.name) && !file.has(table.name),
        "prior '{}' is unknown or given twice, expected each of {} at most once", table.name,
        fmt::join(kPriorNames, ", "));
  const std::int64_t tokens = table.values.shape()[0];
  hdf5::Dataset values =
      file.create_numbers<float>(table.name, {tokens, table.width()}, table.values.host<float>());
  values.set_text_attribute(kSourceAttribute, table.source);
  file.create_numbers<std::uint8_t>(table.name + kPresentSuffix, {tokens},
                                    table.present.host<std::uint8_t>());
}

// The token of every row, or why it has none; counts both.
std::vector<std::int32_t> tokens_of_rows(const GeneVectors& vectors, const Vocabulary& vocabulary,
                                         std::optional<Species> species, PriorImport& counts) {
  const GeneFinder find(vocabulary, species);
  std::vector<std::int32_t> tokens;
  std::unordered_map<std::int32_t, std::string> row_of_token;
  for (const std::string& gene : vectors.genes) {
    const std::int32_t token = tokens.emplace_back(find(gene));
    if (token < 0) {
      ++(token == GeneFinder::kUnknown ? counts.unknown : counts.ambiguous);
      continue;
    }
    const auto [first, is_new] = row_of_token.emplace(token, gene);
    check_input(is_new, "{}: rows {} and {} are the same gene, {}; keep one", vectors.source,
                first->second, gene, vocabulary.token(token).gene);
    ++counts.mapped;
  }
  counts.rows = static_cast<std::int64_t>(tokens.size());
  check_input(counts.mapped > 0,
              "{}: none of its {} genes is in the vocabulary; expected Ensembl ids or symbols, "
              "found '{}'",
              vectors.source, counts.rows, vectors.genes.front());
  return tokens;
}

}  // namespace

PriorImport import_prior(const std::string& name, const GeneVectors& vectors,
                         const Vocabulary& vocabulary, std::optional<Species> species,
                         std::int64_t width) {
  check(is_prior_name(name), "prior '{}' is unknown, expected one of {}", name,
        fmt::join(kPriorNames, ", "));
  if (width == 0) width = vectors.width;
  check(width >= vectors.width, "width {} is less than that of {}, {}", width, vectors.source,
        vectors.width);
  PriorImport result;
  const std::vector<std::int32_t> tokens = tokens_of_rows(vectors, vocabulary, species, result);
  result.table = {name, Tensor::zeros({vocabulary.size(), width}, DType::kF32, Device::cpu()),
                  Tensor::zeros({vocabulary.size()}, DType::kU8, Device::cpu()), vectors.source};
  const auto values = result.table.values.host<float>();
  const auto present = result.table.present.host<std::uint8_t>();
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    if (tokens[row] < 0) continue;
    const auto begin = vectors.values.begin() + static_cast<std::ptrdiff_t>(row) * vectors.width;
    std::copy(begin, begin + vectors.width, values.begin() + tokens[row] * width);
    present[static_cast<std::size_t>(tokens[row])] = 1;
  }
  return result;
}

void save_priors(const std::filesystem::path& path, const std::vector<PriorTable>& tables) {
  check_tables(tables, path.string());
  publish_file(path, [&](const std::filesystem::path& staged) {
    hdf5::File file = hdf5::File::create(staged);
    for (const PriorTable& table : tables) write_prior(file, table);
    file.flush();
  });
}

std::vector<PriorTable> load_priors(const std::filesystem::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  for (std::string name : file.children()) {
    if (name.ends_with(kPresentSuffix))
      name.resize(name.size() - std::string(kPresentSuffix).size());
    check_input(is_prior_name(name), "{}: holds '{}', expected only the priors {}", path.string(),
                name, fmt::join(kPriorNames, ", "));
  }
  std::vector<PriorTable> tables;
  for (const std::string_view name : kPriorNames)
    if (file.has(std::string(name))) tables.push_back(read_prior(file, std::string(name)));
  check_tables(tables, path.string());
  return tables;
}

}  // namespace lodestone
