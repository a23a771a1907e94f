#pragma once
// A model directory is what the ecosystem knows: config.json (published keys), model.safetensors
// (published names; prior tables and homologous_index are tensors in it), vocab.json (optional).
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/tensor_archive.h"
#include "model/genecompass.h"

namespace lodestone {

// A network with the store it lives in.
class Model {
 public:
  Model(const ModelConfig& config, DType compute, std::uint64_t seed,
        Device device = Device::cpu());
  Model(const Model&) = delete;
  ParameterStore store;
  GeneCompass network;
};

// How the names of a checkpoint met those of the model.
struct NameReport {
  std::vector<std::string> matched, missing, unexpected;
};

// Fills parameters and buffers from an archive by their published names (or those of the same
// storage: cls.predictions.decoder.bias for cls.predictions.bias). Wrong shapes throw kBadInput.
NameReport load_published(Model& model, const TensorArchive& archive);
// Every parameter and buffer under its published name; a tied decoder once, as the word embeddings.
std::vector<NamedTensor> published_tensors(const Model& model);
// Gradients under the published names of their parameters.
std::vector<NamedTensor> published_gradients(const Model& model);

struct LoadOptions {
  Device device = Device::cpu();
  // A regular expression of missing or unexpected names to accept; empty: none.
  std::string allow = {};
  NameReport* report = nullptr;  // filled if given
};
// Reads config.json and model.safetensors or pytorch_model.bin of a folder (ours or published).
// Names that do not fit and are not allowed throw kBadInput; those that carry no weights of ours
// (position_ids, emb_warmup.*) are always accepted.
std::unique_ptr<Model> load_model(const std::filesystem::path& folder, DType compute,
                                  const LoadOptions& options = {});
// Published whole. `vocabulary_json` may be empty.
void save_model(const Model& model, const std::filesystem::path& folder,
                const std::string& vocabulary_json, bool replace = false);

}  // namespace lodestone
