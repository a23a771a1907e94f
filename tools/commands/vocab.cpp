#include "data/vocabulary_builder.h"
#include "engine/core/log.h"
#include "tools/commands/commands.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct VocabSettings {
  std::vector<std::string> genes;
  std::string orthologs;
  std::vector<std::string> cells;
  std::string out;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("genes", genes, "gene tables (.tsv, .tsv.gz): Ensembl id, symbol, biotype");
    visit("orthologs", orthologs, "table of human and mouse ids that are homologous");
    visit("cells", cells, "data sets (.h5ad): only genes that one of them measures");
    visit("out", out, "vocabulary to write (vocab.json)");
  }
  void validate() const {
    check(!genes.empty() || !cells.empty(),
          "expected gene tables (--genes), data sets (--cells), or both");
  }
};

VocabularySources read_sources(const VocabSettings& settings) {
  VocabularySources sources;
  for (const std::string& path : settings.genes) sources.tables.push_back(read_gene_table(path));
  std::vector<GeneTable> measured;
  measured.reserve(settings.cells.size());
  for (const std::string& path : settings.cells)
    measured.push_back(
        genes_of(*open_cells(path, {.allow_noninteger = true})));  // no count is used
  (settings.genes.empty() ? sources.tables : sources.measured) = std::move(measured);
  if (settings.orthologs.empty())
    log::warning("no ortholog table: every gene has a token of its own, species share none");
  else
    sources.orthologs = read_ortholog_table(settings.orthologs);
  return sources;
}

void make_vocabulary(const VocabSettings& settings, Run& run) {
  const VocabularySources sources = read_sources(settings);
  const BuiltVocabulary built = build_vocabulary(sources);
  built.vocabulary.save(settings.out);
  std::int64_t skipped = sources.orthologs ? sources.orthologs->skipped : 0;
  for (const GeneTable& table : sources.tables) skipped += table.skipped;
  run.result(
      ordered_json{{"out", settings.out},
                   {"tokens", built.vocabulary.size()},
                   {"human_genes", built.human},
                   {"mouse_genes", built.mouse},
                   {"homologous_pairs", built.homologous},
                   {"genes_without_biotype", built.without_biotype},
                   {"measured_genes_unknown", built.measured_unknown},
                   {"rows_without_id", skipped}},
      fmt::format("{}: {} tokens: {} human and {} mouse genes, {} homologous pairs share the human "
                  "token; {} genes without a biotype, {} measured genes in no table, {} rows "
                  "without an id\n",
                  settings.out, grouped(built.vocabulary.size()), grouped(built.human),
                  grouped(built.mouse), grouped(built.homologous), grouped(built.without_biotype),
                  grouped(built.measured_unknown), grouped(skipped)));
}

}  // namespace

void add_vocab(CommandLine& line) {
  line.add<VocabSettings>(
      {.name = "vocab",
       .summary = "Makes a vocabulary from gene tables, orthologs and data sets",
       .description =
           "Human genes by Ensembl id, then mouse genes; a mouse gene with a one-to-one human "
           "homologue is written\nwith the human token. With --cells only measured genes and their "
           "homologues get a token; without --genes\nthe data sets' own symbols and biotypes "
           "are taken.\n\n"
           "  lodestone vocab --genes human.tsv.gz --genes mouse.tsv.gz --orthologs pairs.tsv.gz "
           "--out vocab.json\n"
           "  lodestone vocab --cells a.h5ad --cells b.h5ad --out vocab.json",
       .required = {"out"},
       .inputs = {"genes", "orthologs", "cells"},
       .outputs = {"out"}},
      make_vocabulary);
}

}  // namespace lodestone::tools
