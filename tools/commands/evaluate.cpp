// Tasks with their baselines.
#include "engine/core/check.h"
#include "engine/io/files.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_vocabulary.h"
#include "train/config.h"
#include "train/embedding_evaluation.h"
#include "train/pretraining_evaluation.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

void publish(const std::string& file, const ordered_json& result) {
  if (!file.empty()) write_text(file, result.dump(2) + "\n");
}

struct PretrainingSettings {
  std::string run, data, model, out;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("run", run, "run directory of `pretrain`");
    visit("data", data, "token directory; default: the run's");
    visit("model", model, "model directory; default: the run's");
    visit("out", out, "result.json to write");
  }
};

void evaluate_pretraining_run(const PretrainingSettings& settings, Run& run) {
  const fs::path config = fs::path(settings.run) / "config.toml";
  check_input(fs::exists(config),
              "{}: has no config.toml; give the directory of a run (lodestone pretrain --out)",
              settings.run);
  const TrainConfig trained = read_train_config(config);
  const TokenDirectory cells(settings.data.empty() ? trained.data : settings.data);
  const auto model = load_model(
      settings.model.empty() ? fs::path(settings.run) / "model" : fs::path(settings.model),
      DType::kF32, {.device = run.device()});
  const Split split = split_cells(cells.cells(), trained.held_out, trained.seed);
  LoaderConfig batches = trained.loader;
  batches.seed = trained.seed;
  Progress progress = run.progress("evaluate", "cells");
  const PretrainingScore score =
      evaluate_pretraining(*model, cells, split, batches, progress.callback());
  ordered_json result = ordered_json::parse(score.json());
  publish(settings.out, result);
  run.result(result, score.table());
}

struct EmbeddingSettings {
  std::string model, vocab, out;
  std::vector<std::string> files;
  bool allow_noninteger = false;
  EmbeddingEvaluationConfig evaluation;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("files", files, "cells with labels (.h5ad)");
    visit("model", model, "model directory");
    visit("vocab", vocab, "vocab.json; default: the one in the model directory");
    visit("allow_noninteger", allow_noninteger, "accept numbers that are not counts");
    visit("out", out, "result.json to write");
    evaluation.fields(visit);
  }
};

void evaluate_embedding_files(const EmbeddingSettings& settings, Run& run) {
  const auto model = load_model(settings.model, DType::kF32, {.device = run.device()});
  const Vocabulary vocabulary = model_vocabulary(*model, settings.model, settings.vocab);
  std::vector<std::unique_ptr<CellSource>> files;
  files.reserve(settings.files.size());
  for (const std::string& file : settings.files)
    files.push_back(open_cells(file, {.allow_noninteger = settings.allow_noninteger}));
  const auto scores = evaluate_embedding(*model, vocabulary, files, settings.evaluation);
  const ordered_json result = ordered_json::parse(to_json(scores));
  publish(settings.out, result);
  run.result(result, to_table(scores));
}

}  // namespace

void add_evaluate(CommandLine& line) {
  line.add<PretrainingSettings>(
      {.name = "evaluate pretraining",
       .summary = "Masked genes and values of held-out cells, beside baselines",
       .description =
           "On the cells that the run held out, at positions that show <mask> only: cross entropy "
           "of the gene beside gene\nfrequencies of the training cells (over both species and per "
           "species, one count added), squared error of the\nvalue beside that gene's mean value "
           "and linear interpolation between the nearest unmasked neighbours.\n\n"
           "  lodestone evaluate pretraining runs/a --out result.json",
       .positionals = {"run"},
       .required = {"run"},
       .inputs = {"run", "data", "model"},
       .outputs = {"out"}},
      evaluate_pretraining_run);
  line.add<EmbeddingSettings>(
      {.name = "evaluate embedding",
       .summary = "Nearest-neighbour label accuracy of cell embeddings, beside PCA and random "
                  "weights",
       .description =
           "Each file on its own (every cell left out of its own neighbours), and each pair of "
           "files of different species:\nlabels of one from the cells of the other.\n\n"
           "  lodestone evaluate embedding human.h5ad mouse.h5ad --model runs/a/model --out "
           "result.json",
       .positionals = {"files"},
       .required = {"files", "model"},
       .inputs = {"files", "model", "vocab"},
       .outputs = {"out"}},
      evaluate_embedding_files);
}

}  // namespace lodestone::tools
