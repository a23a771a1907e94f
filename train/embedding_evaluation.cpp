#include "train/embedding_evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "train/neighbours.h"
#include "train/principal_components.h"

namespace lodestone {

namespace {

// Rows of cells in some space.
struct Space {
  std::vector<float> values;  // [cells, columns]
  std::int64_t columns = 0;
};

// One file, embedded.
struct Prepared {
  CellSource* source;
  GeneMapping mapping;
  std::string name;
  std::vector<std::string> labels;  // [cells], "" = missing
  Space model, random;
};

std::vector<std::string> labels_of(const CellSource& source, const std::string& column) {
  for (const ObsColumn& obs : source.obs()) {
    if (obs.name != column) continue;
    std::vector<std::string> labels;
    labels.reserve(obs.codes.size());
    for (const std::int32_t code : obs.codes)
      labels.push_back(code < 0 ? "" : obs.categories[static_cast<std::size_t>(code)]);
    return labels;
  }
  fail(ErrorKind::kBadInput, "{}: no column {} in obs; name the labels with --label",
       source.path().string(), column);
}

std::string name_among(std::span<const std::unique_ptr<CellSource>> files,
                       const std::filesystem::path& path) {
  const auto same = std::count_if(files.begin(), files.end(), [&](const auto& other) {
    return other->path().stem() == path.stem();
  });
  return same > 1 ? path.string() : path.stem().string();
}

// The same network with new random weights; what it knows of genes stays.
std::unique_ptr<Model> untrained(const Model& model, std::uint64_t seed) {
  const GeneCompass& known = model.network;
  auto random = std::make_unique<Model>(known.config(), model.store.compute_type(), seed,
                                        model.store.device());
  random->network.set_homologous_index(known.homologous_index());
  for (const std::string& prior : known.config().priors())
    random->network.set_prior(prior, known.prior(prior));
  return random;
}

// What a file as a whole differs in is not about its cells.
void centre(Space& space) {
  const auto columns = static_cast<std::size_t>(space.columns);
  const std::size_t rows = space.values.size() / columns;
  std::vector<double> mean(columns, 0);
  for (std::size_t i = 0; i < space.values.size(); ++i) mean[i % columns] += space.values[i];
  for (double& value : mean) value /= static_cast<double>(rows);
  for (std::size_t i = 0; i < space.values.size(); ++i)
    space.values[i] -= static_cast<float>(mean[i % columns]);
}

Space embed(CellSource& source, const Vocabulary& vocabulary, const Model& model,
            const EmbeddingConfig& config) {
  Space space;
  space.columns = model.network.config().hidden;
  embed_cells(source, vocabulary, model, config, [&](std::span<const float> rows) {
    space.values.insert(space.values.end(), rows.begin(), rows.end());
  });
  centre(space);
  return space;
}

// Maps and labels every file before the first cell is read.
std::vector<Prepared> prepare(const Model& model, const Vocabulary& vocabulary,
                              std::span<const std::unique_ptr<CellSource>> files,
                              const EmbeddingEvaluationConfig& config) {
  std::vector<Prepared> prepared;
  for (const std::unique_ptr<CellSource>& file : files)
    prepared.push_back({file.get(),
                        map_genes(*file, vocabulary, config.embedding.given_species()),
                        name_among(files, file->path()),
                        labels_of(*file, config.label),
                        {},
                        {}});
  const std::unique_ptr<Model> random = untrained(model, config.random_seed);
  for (Prepared& file : prepared) {
    file.model = embed(*file.source, vocabulary, model, config.embedding);
    file.random = embed(*file.source, vocabulary, *random, config.embedding);
  }
  return prepared;
}

// log(1 + 10,000 * count / total) in the columns that column_of_gene gives (-1 = left out); totals
// are over all genes of the file.
Space log_normalised(CellSource& source, const std::vector<std::int32_t>& column_of_gene,
                     std::int64_t columns) {
  constexpr double kTarget = 10000;
  Space space;
  space.columns = columns;
  space.values.assign(static_cast<std::size_t>(source.cells() * columns), 0);
  for (std::int64_t begin = 0; begin < source.cells(); begin += source.block_cells()) {
    const CellBlock block =
        source.read(begin, std::min(begin + source.block_cells(), source.cells()));
    for (std::size_t i = 0; i < static_cast<std::size_t>(block.cells()); ++i) {
      const auto first = static_cast<std::size_t>(block.offsets[i]);
      const auto last = static_cast<std::size_t>(block.offsets[i + 1]);
      double total = 0;
      for (std::size_t k = first; k < last; ++k) total += block.counts[k];
      float* row = space.values.data() + (begin + static_cast<std::int64_t>(i)) * columns;
      for (std::size_t k = first; k < last; ++k)
        if (const auto column = column_of_gene[static_cast<std::size_t>(block.genes[k])];
            column >= 0)
          row[column] += static_cast<float>(std::log1p(kTarget * block.counts[k] / total));
    }
  }
  return space;
}

Space components(const std::vector<float>& values, std::int64_t columns, std::int64_t wanted) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  PrincipalComponents found =
      principal_components(values, columns, std::min({wanted, rows, columns}));
  return {std::move(found.scores), found.components};
}

Space own_components(const Prepared& file, std::int64_t wanted) {
  std::vector<std::int32_t> every(static_cast<std::size_t>(file.mapping.genes()));
  for (std::size_t g = 0; g < every.size(); ++g) every[g] = static_cast<std::int32_t>(g);
  const auto columns = static_cast<std::int64_t>(every.size());
  return components(log_normalised(*file.source, every, columns).values, columns, wanted);
}

std::vector<std::int32_t> written_tokens(const Prepared& file, const Vocabulary& vocabulary) {
  std::vector<std::int32_t> tokens;
  tokens.reserve(file.mapping.own_token.size());
  for (const std::int32_t own : file.mapping.own_token)
    tokens.push_back(own < 0 ? -1 : vocabulary.written_id(vocabulary.token(own)));
  return tokens;
}

// Principal components of two files over the tokens both write: the first file's rows, then the
// second's. Without columns when they share no token.
std::pair<Space, Space> shared_components(const Prepared& a, const Prepared& b,
                                          const Vocabulary& vocabulary, std::int64_t wanted) {
  const auto tokens_a = written_tokens(a, vocabulary), tokens_b = written_tokens(b, vocabulary);
  const std::set<std::int32_t> in_b(tokens_b.begin(), tokens_b.end());
  std::map<std::int32_t, std::int32_t> column_of_token;
  for (const std::int32_t token : tokens_a)
    if (token >= 0 && in_b.contains(token))
      column_of_token.emplace(token, static_cast<std::int32_t>(column_of_token.size()));
  if (column_of_token.empty()) return {};
  const auto columns = static_cast<std::int64_t>(column_of_token.size());
  const auto space_of = [&](const Prepared& file, std::vector<std::int32_t> tokens) {
    for (std::int32_t& token : tokens) {
      const auto found = column_of_token.find(token);
      token = found == column_of_token.end() ? -1 : found->second;
    }
    Space space = log_normalised(*file.source, tokens, columns);
    centre(space);
    return space;
  };
  Space both = space_of(a, tokens_a);
  const Space second = space_of(b, tokens_b);
  const auto split =
      static_cast<std::ptrdiff_t>(both.values.size() / static_cast<std::size_t>(columns));
  both.values.insert(both.values.end(), second.values.begin(), second.values.end());
  const Space found = components(both.values, columns, wanted);
  const auto middle = found.values.begin() + split * found.columns;
  return {Space{{found.values.begin(), middle}, found.columns},
          Space{{middle, found.values.end()}, found.columns}};
}

// The cells that take part, with the code of their label.
struct Chosen {
  std::vector<std::size_t> cells;
  std::vector<std::int32_t> codes;
};

Chosen choose(const std::vector<std::string>& labels, const std::vector<std::string>& known) {
  Chosen chosen;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto found = std::lower_bound(known.begin(), known.end(), labels[i]);
    if (labels[i].empty() || found == known.end() || *found != labels[i]) continue;
    chosen.cells.push_back(i);
    chosen.codes.push_back(static_cast<std::int32_t>(found - known.begin()));
  }
  return chosen;
}

std::vector<float> rows_of(const Space& space, const std::vector<std::size_t>& cells) {
  std::vector<float> rows;
  for (const std::size_t cell : cells) {
    const auto begin = space.values.begin() + static_cast<std::ptrdiff_t>(cell) * space.columns;
    rows.insert(rows.end(), begin, begin + space.columns);
  }
  return rows;
}

// What one comparison is about.
struct Comparison {
  Chosen reference, query;
  std::vector<std::string> labels;
  bool same_file = false;
};

LabelScore score(const std::string& method, const Comparison& c, const Space& reference,
                 const Space& query, std::int64_t neighbours) {
  NeighbourSearch search;
  search.neighbours = neighbours;
  search.exclude_same_index = c.same_file;
  const auto found = nearest_neighbours(rows_of(reference, c.reference.cells),
                                        rows_of(query, c.query.cells), reference.columns, search);
  const LabelTransfer transfer =
      transfer_labels(found, neighbours, c.reference.codes, c.query.codes, c.labels);
  return {method, transfer.accuracy, transfer.macro_f1};
}

Comparison compare(const Prepared& reference, const Prepared& query) {
  Comparison c;
  c.same_file = &reference == &query;
  const std::set<std::string> a(reference.labels.begin(), reference.labels.end());
  const std::set<std::string> b(query.labels.begin(), query.labels.end());
  for (const std::string& label : a)
    if (!label.empty() && b.contains(label)) c.labels.push_back(label);
  // References keep every label of theirs: a wrong one can be chosen.
  std::vector<std::string> all(a.begin(), a.end());
  std::erase(all, "");
  c.query = choose(query.labels, c.labels);
  for (std::int32_t& code : c.query.codes)
    code = static_cast<std::int32_t>(
        std::lower_bound(all.begin(), all.end(), c.labels[static_cast<std::size_t>(code)]) -
        all.begin());
  c.reference = choose(reference.labels, all);
  c.labels = std::move(all);
  return c;
}

EmbeddingScore describe(const Prepared& reference, const Prepared& query, const Comparison& c) {
  EmbeddingScore s;
  s.reference = reference.name;
  s.query = query.name;
  s.reference_cells = static_cast<std::int64_t>(c.reference.cells.size());
  s.query_cells = static_cast<std::int64_t>(c.query.cells.size());
  s.labels = static_cast<std::int64_t>(c.labels.size());
  return s;
}

}  // namespace

std::vector<EmbeddingScore> evaluate_embedding(const Model& model, const Vocabulary& vocabulary,
                                               std::span<const std::unique_ptr<CellSource>> files,
                                               const EmbeddingEvaluationConfig& config) {
  const std::vector<Prepared> prepared = prepare(model, vocabulary, files, config);
  std::vector<EmbeddingScore> scores;
  const auto add = [&](const Prepared& a, const Prepared& b, const Space& pca_a,
                       const Space& pca_b) {
    const Comparison c = compare(a, b);
    if (c.query.cells.empty()) return;
    EmbeddingScore s = describe(a, b, c);
    s.methods = {score("model", c, a.model, b.model, config.neighbours),
                 score("random weights", c, a.random, b.random, config.neighbours)};
    if (pca_a.columns > 0) s.methods.push_back(score("PCA", c, pca_a, pca_b, config.neighbours));
    scores.push_back(std::move(s));
  };
  for (const Prepared& file : prepared) {
    const Space pca = own_components(file, config.components);
    add(file, file, pca, pca);
  }
  for (std::size_t i = 0; i < prepared.size(); ++i)
    for (std::size_t k = i + 1; k < prepared.size(); ++k) {
      const Prepared &a = prepared[i], &b = prepared[k];
      if (a.mapping.species == b.mapping.species || compare(a, b).query.cells.empty()) continue;
      const auto [pca_a, pca_b] = shared_components(a, b, vocabulary, config.components);
      add(a, b, pca_a, pca_b);
      add(b, a, pca_b, pca_a);
    }
  return scores;
}

std::string to_json(const std::vector<EmbeddingScore>& scores) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const EmbeddingScore& s : scores) {
    nlohmann::ordered_json entry = {{"reference", s.reference},
                                    {"query", s.query},
                                    {"reference_cells", s.reference_cells},
                                    {"query_cells", s.query_cells},
                                    {"labels", s.labels}};
    for (const LabelScore& m : s.methods)
      entry["methods"][m.method] = {{"accuracy", m.accuracy}, {"macro_f1", m.macro_f1}};
    json.push_back(std::move(entry));
  }
  return json.dump(2);
}

std::string to_table(const std::vector<EmbeddingScore>& scores) {
  std::string text;
  for (const EmbeddingScore& s : scores) {
    text += s.reference == s.query
                ? fmt::format("{} ({} cells, {} labels, each cell left out)\n", s.query,
                              s.query_cells, s.labels)
                : fmt::format("{} ({} cells) -> {} ({} cells), {} labels\n", s.reference,
                              s.reference_cells, s.query, s.query_cells, s.labels);
    for (const LabelScore& m : s.methods)
      text += fmt::format("  {:<15} accuracy {:.3f}  macro-F1 {:.3f}\n", m.method, m.accuracy,
                          m.macro_f1);
  }
  return text;
}

}  // namespace lodestone
