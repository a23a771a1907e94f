#include "model/model_directory.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <regex>
#include <set>

#include "engine/core/log.h"
#include "engine/io/files.h"
#include "model/published_names.h"

namespace lodestone {

namespace {

constexpr const char* kHomologousIndex = "bert.embeddings.homologous_index";
constexpr const char* kDecoder = "cls.predictions.decoder.weight";
constexpr const char* kWordEmbeddings = "bert.embeddings.word_embeddings.weight";

std::string prior_name(const std::string& prior) {
  return "bert.embeddings." + prior + "_knowledge";
}

// Names that carry no weights of ours.
bool carries_nothing(const std::string& name) {
  return name == "bert.embeddings.position_ids" || name.starts_with("emb_warmup.");
}

Tensor read_expecting(const TensorArchive& archive, const std::string& name, const Shape& shape) {
  Tensor tensor = archive.read(name);
  check_input(tensor.shape() == shape, "{}: tensor {} must be {}, found {}",
              archive.path().string(), name, shape.text(), tensor.shape().text());
  return tensor;
}

void load_buffers(Model& model, const TensorArchive& archive, NameReport& report) {
  const ModelConfig& config = model.network.config();
  for (const std::string& prior : config.priors()) {
    const std::string name = prior_name(prior);
    if (!archive.find(name)) {
      report.missing.push_back(name);
      continue;
    }
    const Tensor table = read_expecting(archive, name, {config.vocabulary, config.prior_width});
    model.network.set_prior(prior, table.dtype() == DType::kF32 ? table : table.cast(DType::kF32));
    report.matched.push_back(name);
  }
  if (!archive.find(kHomologousIndex)) {
    if (!config.priors().empty()) report.missing.emplace_back(kHomologousIndex);
    return;
  }
  const Tensor index = read_expecting(archive, kHomologousIndex, {config.vocabulary});
  check_input(index.dtype() == DType::kI64, "{}: tensor {} must hold integers",
              archive.path().string(), kHomologousIndex);
  std::vector<std::int32_t> ids;
  for (const std::int64_t id : index.host<std::int64_t>()) {
    check_input(id >= 0 && id < config.vocabulary, "{}: {} holds {}, expected 0 to {}",
                archive.path().string(), kHomologousIndex, id, config.vocabulary - 1);
    ids.push_back(static_cast<std::int32_t>(id));
  }
  model.network.set_homologous_index(std::move(ids));
  report.matched.emplace_back(kHomologousIndex);
}

bool same_values(const TensorArchive& archive, const std::string& a, const std::string& b) {
  if (archive.same_storage(a, b)) return true;
  const Tensor left = archive.read(a), right = archive.read(b);
  return left.shape() == right.shape() && left.dtype() == right.dtype() &&
         std::memcmp(left.data(), right.data(), left.bytes()) == 0;
}

// What config.json leaves open, from the tensors themselves.
void complete(ModelConfig& config, const TensorArchive& archive) {
  for (const std::string& prior : config.priors())
    if (const ArchiveEntry* entry = archive.find(prior_name(prior));
        entry && entry->shape.size() == 2)
      config.prior_width = entry->shape[1];
  if (config.tie_word_embeddings && archive.find(kDecoder) && archive.find(kWordEmbeddings) &&
      !same_values(archive, kDecoder, kWordEmbeddings)) {
    log::warning("{}: the gene decoder differs from the word embeddings; loading it untied",
                 archive.path().string());
    config.tie_word_embeddings = false;
  }
}

std::unique_ptr<TensorArchive> open_archive(const std::filesystem::path& folder) {
  const auto ours = folder / "model.safetensors", torch = folder / "pytorch_model.bin";
  if (std::filesystem::exists(ours)) return open_safetensors(ours);
  if (std::filesystem::exists(torch)) return open_torch_checkpoint(torch);
  fail(ErrorKind::kBadInput,
       "{}: expected model.safetensors or pytorch_model.bin in this folder, found neither",
       folder.string());
}

void refuse_strangers(const NameReport& report, const std::string& allow,
                      const std::filesystem::path& folder) {
  std::optional<std::regex> allowed;
  try {
    if (!allow.empty()) allowed.emplace(allow);
  } catch (const std::regex_error&) {
    fail(ErrorKind::kInvalidArgument, "\"{}\" is not a regular expression", allow);
  }
  const auto refused = [&](const std::vector<std::string>& names) {
    std::vector<std::string> left;
    for (const std::string& name : names)
      if (!allowed || !std::regex_search(name, *allowed)) left.push_back(name);
    return left;
  };
  const auto missing = refused(report.missing), unexpected = refused(report.unexpected);
  check_input(missing.empty() && unexpected.empty(),
              "{}: the weights do not fit config.json: {} missing ({}), {} unexpected ({}); accept "
              "names with --allow REGEX",
              folder.string(), missing.size(), fmt::join(missing, ", "), unexpected.size(),
              fmt::join(unexpected, ", "));
}

}  // namespace

Model::Model(const ModelConfig& config, DType compute, std::uint64_t seed, Device device)
    : network(store, config) {
  store.materialize(device, compute, seed);
}

NameReport load_published(Model& model, const TensorArchive& archive) {
  NameReport report;
  std::set<std::string> known;
  const Tensor masters = model.store.masters().to(Device::cpu());
  for (const PublishedTensor& t : published_layout(model.store, model.network.config())) {
    std::vector<std::string> names{t.name};
    names.insert(names.end(), t.aliases.begin(), t.aliases.end());
    known.insert(names.begin(), names.end());
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const std::string& name) { return archive.find(name); });
    if (found == names.end()) {
      report.missing.push_back(t.name);
      continue;
    }
    const Tensor tensor = read_expecting(archive, *found, t.shape);
    check_input(is_floating(tensor.dtype()), "{}: tensor {} must hold floating-point numbers",
                archive.path().string(), *found);
    scatter_published(t, tensor, masters);
    report.matched.push_back(*found);
  }
  model.store.masters().copy_from(masters);
  model.store.publish_masters();
  load_buffers(model, archive, report);
  known.insert(report.matched.begin(), report.matched.end());
  for (const ArchiveEntry& entry : archive.entries())
    if (!known.contains(entry.name) && !carries_nothing(entry.name))
      report.unexpected.push_back(entry.name);
  return report;
}

std::vector<NamedTensor> published_tensors(const Model& model) {
  const ModelConfig& config = model.network.config();
  std::vector<NamedTensor> tensors;
  const Tensor masters = model.store.masters().to(Device::cpu());
  for (const PublishedTensor& t : published_layout(model.store, config))
    tensors.push_back({t.name, gather_published(t, masters)});
  for (const std::string& prior : config.priors())
    if (model.network.prior(prior).defined())
      tensors.push_back({prior_name(prior), model.network.prior(prior).to(Device::cpu())});
  const auto& homologous = model.network.homologous_index();
  tensors.push_back({kHomologousIndex, Tensor::from(std::vector<std::int64_t>(homologous.begin(),
                                                                              homologous.end()))});
  return tensors;
}

std::vector<NamedTensor> published_gradients(const Model& model) {
  std::vector<NamedTensor> tensors;
  const Tensor gradients = model.store.gradients().to(Device::cpu());
  for (const PublishedTensor& t : published_layout(model.store, model.network.config()))
    tensors.push_back({t.name, gather_published(t, gradients)});
  return tensors;
}

std::unique_ptr<Model> load_model(const std::filesystem::path& folder, DType compute,
                                  const LoadOptions& options) {
  const auto settings = folder / "config.json";
  check_input(std::filesystem::exists(settings),
              "{}: has no config.json; give the folder of a model", folder.string());
  ModelConfig config = read_model_config(settings);
  const std::unique_ptr<TensorArchive> archive = open_archive(folder);
  complete(config, *archive);
  auto model = std::make_unique<Model>(config, compute, 0, options.device);
  const NameReport names = load_published(*model, *archive);
  if (options.report) *options.report = names;
  refuse_strangers(names, options.allow, folder);
  return model;
}

void save_model(const Model& model, const std::filesystem::path& folder,
                const std::string& vocabulary_json, bool replace) {
  publish_directory(folder, replace, [&](const std::filesystem::path& staged) {
    write_text(staged / "config.json", to_config_json(model.network.config()));
    write_safetensors(staged / "model.safetensors", published_tensors(model));
    if (!vocabulary_json.empty()) write_text(staged / "vocab.json", vocabulary_json);
  });
}

}  // namespace lodestone
