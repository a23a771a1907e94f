// A model directory becomes what published code loads.
#include <filesystem>
#include <numeric>

#include "engine/core/check.h"
#include "engine/io/files.h"
#include "model/model_directory.h"
#include "model/published_names.h"
#include "tools/commands/commands.h"
#include "tools/table.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

struct ExportSettings {
  std::string model, out, format = "safetensors";
  bool replace = false;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("model", model, "model directory");
    visit("out", out, "folder to write");
    visit("format", format, "safetensors (model.safetensors) or bin (pytorch_model.bin)");
    visit("replace", replace, "replace the folder if there is one");
  }
  void validate() const {
    check(format == "safetensors" || format == "bin", "--format {}: expected safetensors or bin",
          format);
  }
};

// pytorch_model.bin holds some tensors under a second name, and the positions' own numbers.
std::vector<NamedTensor> checkpoint_tensors(const Model& model) {
  const ModelConfig& config = model.network.config();
  std::vector<NamedTensor> tensors = published_tensors(model);
  std::vector<NamedTensor> aliases;
  for (const PublishedTensor& published : published_layout(model.store, config))
    for (const std::string& alias : published.aliases)
      for (const NamedTensor& named : tensors)
        if (named.name == published.name) aliases.push_back({alias, named.tensor});
  tensors.insert(tensors.end(), aliases.begin(), aliases.end());
  std::vector<std::int64_t> positions(static_cast<std::size_t>(config.max_positions));
  std::iota(positions.begin(), positions.end(), 0);
  tensors.push_back(
      {"bert.embeddings.position_ids", Tensor::from(positions).view({1, config.max_positions})});
  return tensors;
}

void export_model(const ExportSettings& settings, Run& run) {
  const std::unique_ptr<Model> model = load_model(settings.model, DType::kF32);
  const bool bin = settings.format == "bin";
  const std::vector<NamedTensor> tensors =
      bin ? checkpoint_tensors(*model) : published_tensors(*model);
  publish_directory(settings.out, settings.replace, [&](const fs::path& staged) {
    write_text(staged / "config.json", to_config_json(model->network.config()));
    if (bin)
      write_torch_checkpoint(staged / "pytorch_model.bin", tensors);
    else
      write_safetensors(staged / "model.safetensors", tensors);
    if (const fs::path vocabulary = fs::path(settings.model) / "vocab.json"; fs::exists(vocabulary))
      write_text(staged / "vocab.json", read_text(vocabulary));
  });
  ordered_json json = {
      {"out", settings.out}, {"format", settings.format}, {"tensors", ordered_json::array()}};
  Table table({"name", "shape"});
  for (const NamedTensor& named : tensors) {
    table.add({named.name, named.tensor.shape().text()});
    json["tensors"].push_back({{"name", named.name}, {"shape", named.tensor.shape().dims()}});
  }
  run.result(json, table.text());
}

}  // namespace

void add_export(CommandLine& line) {
  line.add<ExportSettings>(
      {.name = "export",
       .summary = "Writes a model directory in the form published code loads",
       .description =
           "Writes config.json, the weights under their published names, and vocab.json if\n"
           "the model has one. With --format bin a tied decoder also stands under its own\n"
           "name, sharing its memory, as published checkpoints have it.\n\n"
           "  lodestone export run/model --out published --format bin",
       .positionals = {"model"},
       .required = {"model", "out"},
       .inputs = {"model"},
       .outputs = {"out"}},
      export_model);
}

}  // namespace lodestone::tools
