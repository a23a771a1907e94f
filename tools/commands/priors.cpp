#include "data/priors.h"

#include <algorithm>
#include <filesystem>

#include "data/gene_id.h"
#include "tools/commands/commands.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct PriorsSettings {
  std::string vocab, out;
  std::array<std::string, kPriorNames.size()> tables;  // in the order of kPriorNames
  std::string species = "auto";
  std::int64_t width = 0;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("vocab", vocab, "vocabulary (vocab.json)");
    visit("out", out, "prior tables to write (priors.h5)");
    visit("promoter", tables[0], "vectors of promoter sequences, one per gene");
    visit("co_exp", tables[1], "vectors of co-expression");
    visit("gene_family", tables[2], "vectors of gene families");
    visit("peca_grn", tables[3], "vectors of the regulatory network");
    visit("species", species, "of symbols: auto, human or mouse; auto = those that are unique");
    visit("width", width, "of all tables, narrower ones end in zeros; 0 = the widest");
  }
  void validate() const {
    check(std::any_of(tables.begin(), tables.end(), [](const auto& path) { return !path.empty(); }),
          "expected at least one of --promoter, --co-exp, --gene-family and --peca-grn");
    check(species == "auto" || parse_species(species),
          "species is '{}', expected auto, human or mouse", species);
    check(width >= 0, "width is {}, expected 0 or more", width);
  }
};

// An npy file X.npy has its genes in X.genes.txt.
GeneVectors read_vectors(const std::filesystem::path& path) {
  std::filesystem::path genes = path;
  return read_gene_vectors(path, genes.replace_extension(".genes.txt"));
}

void import_priors(const PriorsSettings& settings, Run& run) {
  const Vocabulary vocabulary = Vocabulary::load(settings.vocab);
  std::array<GeneVectors, kPriorNames.size()> vectors;
  std::int64_t width = settings.width;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (settings.tables[i].empty()) continue;
    vectors[i] = read_vectors(settings.tables[i]);
    if (settings.width == 0) width = std::max(width, vectors[i].width);
  }
  std::vector<PriorTable> tables;
  ordered_json json = {{"out", settings.out}, {"width", width}, {"priors", ordered_json::array()}};
  std::string text;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (settings.tables[i].empty()) continue;
    PriorImport imported = import_prior(std::string(kPriorNames[i]), vectors[i], vocabulary,
                                        parse_species(settings.species), width);
    json["priors"].push_back({{"name", kPriorNames[i]},
                              {"source", vectors[i].source},
                              {"width", vectors[i].width},
                              {"rows", imported.rows},
                              {"mapped", imported.mapped},
                              {"unknown", imported.unknown},
                              {"ambiguous", imported.ambiguous}});
    text += fmt::format(
        "{}: {} of {} rows of {} have a token, {} are unknown, {} symbols are shared by several "
        "genes; {} of {} columns\n",
        kPriorNames[i], grouped(imported.mapped), grouped(imported.rows), vectors[i].source,
        grouped(imported.unknown), grouped(imported.ambiguous), vectors[i].width, width);
    tables.push_back(std::move(imported.table));
  }
  save_priors(settings.out, tables);
  run.result(json, text);
}

}  // namespace

void add_priors(CommandLine& line) {
  line.add<PriorsSettings>(
      {.name = "priors import",
       .summary = "Makes prior-knowledge tables from vectors per gene",
       .description =
           "Each table is a tab-separated file (plain or gzip) with a header, genes in the first "
           "column and numbers\nin the others; an HDF5 file with the datasets genes and vectors; "
           "or X.npy beside X.genes.txt, one gene a\nline. Genes are Ensembl ids or symbols. "
           "Genes without a vector get zeros. Priors that are not given are\nswitched off in "
           "training.\n\n"
           "  lodestone priors import --vocab vocab.json --promoter promoters.tsv.gz --out "
           "priors.h5",
       .required = {"vocab", "out"},
       .inputs = {"vocab", "promoter", "co_exp", "gene_family", "peca_grn"},
       .outputs = {"out"}},
      import_priors);
}

}  // namespace lodestone::tools
