// A published checkpoint becomes a model directory.
#include <filesystem>
#include <memory>

#include "data/vocabulary.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"
#include "model/model_directory.h"
#include "tools/commands/commands.h"
#include "tools/table.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

struct ImportSettings {
  std::string source, out, allow, vocab;
  bool strict = true, replace = false;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("source", source, "folder with config.json and pytorch_model.bin or model.safetensors");
    visit("out", out, "model directory to write");
    visit("strict", strict, "fail when a name is missing or unexpected");
    visit("allow", allow, "regular expression of missing or unexpected names to accept");
    visit("vocab", vocab, "vocab.json to put into the model; default: that of the source folder");
    visit("replace", replace, "replace the model directory if there is one");
  }
  void validate() const {
    check(strict || allow.empty(), "--no-strict accepts every name: leave out --allow");
  }
};

// The vocabulary that goes with the model, as JSON text; empty when there is none.
std::string vocabulary_of(const ImportSettings& settings, std::int64_t model_size) {
  fs::path file = settings.vocab;
  if (file.empty()) {
    file = fs::path(settings.source) / "vocab.json";
    if (!fs::exists(file)) {
      log::info("no vocab.json: the model can be used with token ids, not with gene names");
      return "";
    }
  }
  const std::int64_t size = Vocabulary::load(file).size();
  check_input(size == model_size, "{}: {} tokens, but the model has {}; give its own vocabulary",
              file.string(), size, model_size);
  return read_text(file);
}

void show_names(const NameReport& report, ordered_json json, const Run& run) {
  Table table({"", "name"});
  const auto list = [&](const char* state, const std::vector<std::string>& names) {
    json[state] = names;
    for (const std::string& name : names) table.add({state, name});
  };
  list("matched", report.matched);
  list("missing", report.missing);
  list("unexpected", report.unexpected);
  run.result(json,
             fmt::format("{}{} matched, {} missing, {} unexpected", table.text(),
                         report.matched.size(), report.missing.size(), report.unexpected.size()));
}

void import_model(const ImportSettings& settings, Run& run) {
  NameReport report;
  std::unique_ptr<Model> model;
  try {
    model = load_model(settings.source, DType::kF32,
                       {.allow = settings.strict ? settings.allow : ".*", .report = &report});
  } catch (const Error&) {
    // Which names did not fit is what the user needs to see.
    if (!report.matched.empty()) show_names(report, {{"model", nullptr}}, run);
    throw;
  }
  const ModelConfig& config = model->network.config();
  save_model(*model, settings.out, vocabulary_of(settings, config.vocabulary), settings.replace);
  log::info("{}: {} parameters, {} decoder", settings.out, grouped(config.parameter_count()),
            config.tie_word_embeddings ? "tied" : "untied");
  show_names(report,
             {{"model", settings.out},
              {"parameters", config.parameter_count()},
              {"tied_decoder", config.tie_word_embeddings}},
             run);
}

}  // namespace

void add_import(CommandLine& line) {
  line.add<ImportSettings>(
      {.name = "import",
       .summary = "Makes a model directory of a published checkpoint",
       .description =
           "Reads config.json and pytorch_model.bin (a zip of tensors; nothing in it is executed) "
           "or\n"
           "model.safetensors, and prints which names matched, which are missing and which nobody\n"
           "expected. A missing or unexpected name is an error unless --allow matches it. A "
           "decoder\n"
           "that differs from the word embeddings is kept, and the model is untied.\n\n"
           "  lodestone import GeneCompass_Base --out base --allow '^cls4value'",
       .positionals = {"source"},
       .required = {"source", "out"},
       .inputs = {"source", "vocab"},
       .outputs = {"out"}},
      import_model);
}

}  // namespace lodestone::tools
