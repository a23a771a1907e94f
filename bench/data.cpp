// From counts to tokens, and from tokens to batches.
#include <numeric>

#include "bench/cells.h"
#include "bench/suite.h"
#include "data/cell_source.h"
#include "data/simulator.h"
#include "data/tokenizer.h"
#include "data/vocabulary_builder.h"

namespace lodestone::bench {

namespace fs = std::filesystem;

namespace {

using Cells = std::vector<std::unique_ptr<CellSource>>;

void simulate_cells(const Suite& suite, const fs::path& folder) {
  SimulationConfig config;
  config.cells = suite.shape.simulated_cells;
  config.genes = suite.shape.simulated_genes;
  config.depth = suite.shape.simulated_depth;
  config.seed = suite.seed;
  simulate(config, folder, {.compress = false});  // inflating would be most of the time
}

BuiltVocabulary vocabulary_of(const fs::path& folder) {
  VocabularySources sources;
  for (const char* name : {"genes_human.tsv", "genes_mouse.tsv"})
    sources.tables.push_back(read_gene_table(folder / name));
  sources.orthologs = read_ortholog_table(folder / "orthologs.tsv");
  return build_vocabulary(sources);
}

// Both passes over the files: quality control with medians, then tokens. Opening counts.
double tokenize_seconds(const fs::path& cells, const BuiltVocabulary& built, const fs::path& out) {
  return seconds_of([&] {
    Vocabulary vocabulary = built.vocabulary;
    Cells files;
    for (const char* name : {"human.h5ad", "mouse.h5ad"})
      files.push_back(open_cells(cells / name, {}));
    tokenize(files, vocabulary, {.medians = "fit"}, out, true);
  });
}

// `batches` global batches, made by the thread that takes them.
double loader_seconds(Loader& loader, std::int64_t batches) {
  return seconds_of([&] {
    for (std::int64_t i = 0; i < batches; ++i) loader.next();
  });
}

}  // namespace

void measure_data(const Suite& suite) {
  const std::string tokenizer_name = "tokenize", loader_name = "loader";
  if (!suite.wants(tokenizer_name) && !suite.wants(loader_name)) return;
  const TemporaryFolder folder;
  const fs::path cells = folder.path() / "cells", tokens = folder.path() / "tokens";
  simulate_cells(suite, cells);
  const BuiltVocabulary vocabulary = vocabulary_of(cells);
  tokenize_seconds(cells, vocabulary, tokens);
  const TokenDirectory data(tokens);
  if (suite.wants(tokenizer_name))
    suite.report({.name = tokenizer_name,
                  .timing = measure(tokenizer_name, suite.effort,
                                    [&] { return tokenize_seconds(cells, vocabulary, tokens); }),
                  .work = {.cells = 2.0 * static_cast<double>(suite.shape.simulated_cells),
                           .tokens = static_cast<double>(data.tokens())}});
  if (!suite.wants(loader_name)) return;
  LoaderConfig config{.prefetch = 0};
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.cells()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  Loader loader(data, all, config);
  const std::int64_t batches = loader.steps_per_epoch();
  const auto epoch_cells = static_cast<double>(batches * config.batch_cells);
  suite.report({.name = loader_name,
                .timing = measure(loader_name, suite.effort,
                                  [&] { return loader_seconds(loader, batches); }),
                .work = {.cells = epoch_cells,
                         .tokens = epoch_cells * static_cast<double>(data.tokens()) /
                                   static_cast<double>(data.cells())}});
}

}  // namespace lodestone::bench
