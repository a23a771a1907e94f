#include <filesystem>

#include "data/tokenizer.h"
#include "tools/commands/commands.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct TokenizeSettings {
  std::vector<std::string> input;
  std::string vocab, out;
  bool replace = false;
  std::string matrix = "auto";
  bool allow_noninteger = false;
  TokenizeConfig tokens;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("input", input, "cells (.h5ad)");
    visit("vocab", vocab, "vocabulary (vocab.json)");
    visit("out", out, "token directory to write");
    visit("replace", replace, "replace the directory when it exists");
    visit("matrix", matrix, "counts to read: auto, X, raw/X or layers/NAME");
    visit("allow_noninteger", allow_noninteger, "accept numbers that are not counts");
    tokens.fields(visit);
  }
};

void tokenize_cells(const TokenizeSettings& settings, Run& run) {
  TokenizeConfig config = settings.tokens;
  config.seed = run.seed();
  Vocabulary vocabulary = Vocabulary::load(settings.vocab);
  std::vector<std::unique_ptr<CellSource>> files;
  files.reserve(settings.input.size());
  for (const std::string& path : settings.input)
    files.push_back(open_cells(
        path, {.matrix = settings.matrix, .allow_noninteger = settings.allow_noninteger}));
  if (std::filesystem::is_regular_file(config.medians)) run.manifest().add_input(config.medians);
  Progress progress = run.progress("tokenize", "cells");
  const TokenizeReport report =
      tokenize(files, vocabulary, config, settings.out, settings.replace, progress.callback());
  run.result(ordered_json::parse(report.json()), report.table());
}

}  // namespace

void add_tokenize(CommandLine& line) {
  line.add<TokenizeSettings>(
      {.name = "tokenize",
       .summary = "Turns counts into ranked tokens",
       .description =
           "Quality control per file, then count / median of the gene, log2(1 + x), ranked. "
           "Medians are fitted\nover all kept cells unless given. Writes a token directory with "
           "the vocabulary as it was used,\nand reports cells and genes kept and dropped, the "
           "share of counts lost, and lengths.\n\n"
           "  lodestone tokenize human.h5ad mouse.h5ad --vocab vocab.json --out tokens",
       .positionals = {"input"},
       .required = {"input", "vocab", "out"},
       .inputs = {"input", "vocab"},
       .outputs = {"out"}},
      tokenize_cells);
}

}  // namespace lodestone::tools
