// The training loop; what it does is in train/pretraining.h.
#include "engine/core/check.h"
#include "tools/commands/commands.h"
#include "tools/commands/stop_signals.h"
#include "tools/exit_code.h"
#include "train/pretraining.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct PretrainSettings {
  std::string out;
  bool resume = false;
  TrainConfig training;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("out", out, "run directory");
    visit(
        "resume", resume,
        "go on from the newest good checkpoint of the run directory; where there is no run, begin "
        "one if --data is given");
    training.settings(visit);
  }
};

ordered_json to_json(const PretrainingResult& result, const std::string& out) {
  ordered_json json = {{"run", out},
                       {"steps", result.steps},
                       {"total_steps", result.total_steps},
                       {"stopped", result.stopped}};
  if (result.last)
    json["training"] = {{"loss", result.last->loss},
                        {"id_loss", result.last->id_loss},
                        {"value_loss", result.last->value_loss}};
  if (result.validation)
    json["validation"] = {{"loss", result.validation->loss},
                          {"id_loss", result.validation->id_loss},
                          {"value_loss", result.validation->value_loss},
                          {"cells", result.validation->cells}};
  if (!result.model.empty()) json["model"] = result.model.string();
  return json;
}

std::string to_text(const PretrainingResult& result, const std::string& out) {
  std::string text = fmt::format("{} of {} steps are done\n", result.steps, result.total_steps);
  if (result.validation)
    text += fmt::format("held-out loss {:.4f} (id {:.4f}, value {:.4f}) on {} cells\n",
                        result.validation->loss, result.validation->id_loss,
                        result.validation->value_loss, result.validation->cells);
  text += result.stopped ? fmt::format(
                               "stopped after saving; lodestone pretrain --out {} --resume "
                               "goes on\n",
                               out)
                         : fmt::format("model: {}\n", result.model.string());
  return text;
}

int run_pretraining(const PretrainSettings& settings, Run& run) {
  TrainConfig config = settings.training;
  if (!settings.resume)
    check(!config.data.empty(), "pretrain: --data is required (token directory)");
  config.seed = run.seed();
  config.device = run.device();
  install_stop_signals();
  const PretrainingResult result = pretrain(config, settings.out, settings.resume, stop_requested);
  run.result(to_json(result, settings.out), to_text(result, settings.out));
  return result.stopped ? kExitRequeue : kExitOk;
}

}  // namespace

void add_pretrain(CommandLine& line) {
  line.add<PretrainSettings>(
      {.name = "pretrain",
       .summary = "Trains GeneCompass on a token directory",
       .description =
           "Masked genes and their values are predicted. Writes a run directory: config.toml with "
           "every setting,\nmetrics.jsonl, tensorboard/, checkpoints/, and model/ at the end. With "
           "--resume, settings of the run are\ntaken from its config.toml, and the result is the "
           "same "
           "to the bit as if the run had never stopped.\nSIGTERM, SIGINT and SIGUSR1 finish the "
           "step, "
           "save, and exit with 75; a second SIGTERM or SIGINT does not wait.\n\n"
           "  lodestone pretrain --data tokens --out run --config small.toml\n"
           "  lodestone pretrain --out run --resume",
       .required = {"out"},
       .inputs = {"data", "priors", "vocab", "init"},
       .outputs = {"out"}},
      run_pretraining);
}

}  // namespace lodestone::tools
