// What is in an h5ad file, a token directory, a vocabulary, a model, a checkpoint or a run.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

#include "data/token_directory.h"
#include "data/vocabulary.h"
#include "engine/core/check.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "engine/io/tensor_archive.h"
#include "model/config.h"
#include "tools/commands/commands.h"
#include "tools/facts.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

// Stored values of a matrix that are looked at to tell counts from normalised numbers.
constexpr std::int64_t kSampledValues = 100'000;

struct InspectSettings {
  std::string path;
  bool verify = false;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("path", path, "file or directory to look into");
    visit("verify", verify, "check every number and hash of a token directory");
  }
};

std::string_view name_of(hdf5::Kind kind) {
  switch (kind) {
    case hdf5::Kind::kInteger:
      return "integer";
    case hdf5::Kind::kFloat:
      return "float";
    case hdf5::Kind::kText:
      return "text";
    case hdf5::Kind::kBool:
      return "bool";
    case hdf5::Kind::kOther:
      return "other";
  }
  return "?";
}

std::string_view name_of(ElementType type) {
  constexpr std::array kNames = {"f64", "f32", "f16", "bf16", "i64",
                                 "i32", "i16", "i8",  "u8",   "bool"};
  return kNames.at(static_cast<std::size_t>(type));
}

// ---- HDF5 ----

// Are the first values whole and not negative, as counts are?
bool looks_like_counts(const hdf5::Dataset& values) {
  const std::int64_t row =
      std::max<std::int64_t>(1, values.size() / std::max<std::int64_t>(1, values.rows()));
  const std::int64_t rows =
      std::min(values.rows(), std::max<std::int64_t>(1, kSampledValues / row));
  const std::vector<double> sample = values.read_rows<double>(0, rows);
  return std::all_of(sample.begin(), sample.end(),
                     [](double v) { return v >= 0 && v == std::floor(v) && std::isfinite(v); });
}

ordered_json describe_matrix(const hdf5::Group& file, const std::string& name) {
  ordered_json matrix = {{"name", name}};
  if (file.has_dataset(name)) {
    const hdf5::Dataset dense = file.dataset(name);
    matrix["layout"] = "dense";
    matrix["shape"] = dense.shape();
    matrix["type"] = name_of(dense.kind());
    matrix["stored"] = dense.size();
    matrix["counts"] = looks_like_counts(dense);
    return matrix;
  }
  const hdf5::Group sparse = file.group(name);
  matrix["layout"] =
      sparse.has_attribute("encoding-type") ? sparse.text_attribute("encoding-type") : "unknown";
  matrix["shape"] = sparse.has_attribute("shape") ? sparse.numbers_attribute<std::int64_t>("shape")
                                                  : std::vector<std::int64_t>{};
  if (!sparse.has_dataset("data")) return matrix;
  const hdf5::Dataset data = sparse.dataset("data");
  matrix["type"] = name_of(data.kind());
  matrix["stored"] = data.size();
  matrix["counts"] = looks_like_counts(data);
  return matrix;
}

// Columns of obs or var.
ordered_json describe_columns(const hdf5::Group& file, const std::string& frame) {
  ordered_json columns = ordered_json::array();
  if (!file.has_group(frame)) return columns;
  const hdf5::Group group = file.group(frame);
  for (const std::string& name : group.children()) {
    if (group.has_dataset(name)) {
      columns.push_back({{"column", name},
                         {"kind", name_of(group.dataset(name).kind())},
                         {"categories", nullptr}});
    } else if (const hdf5::Group column = group.group(name); column.has_dataset("categories")) {
      columns.push_back({{"column", name},
                         {"kind", "categorical"},
                         {"categories", column.dataset("categories").rows()}});
    } else {
      columns.push_back({{"column", name}, {"kind", "group"}, {"categories", nullptr}});
    }
  }
  return columns;
}

ordered_json inspect_h5ad(const hdf5::File& file) {
  ordered_json facts = {{"kind", "h5ad"}};
  std::vector<std::string> names = {"X"};
  if (file.has_group("layers"))
    for (const std::string& layer : file.group("layers").children())
      names.push_back("layers/" + layer);
  if (file.has("raw/X")) names.emplace_back("raw/X");
  facts["matrices"] = ordered_json::array();
  for (const std::string& name : names)
    if (file.has(name)) facts["matrices"].push_back(describe_matrix(file, name));
  for (const char* frame : {"obs", "var"}) facts[frame] = describe_columns(file, frame);
  for (const char* group : {"obsm", "varm", "obsp", "uns"})
    facts[group] =
        file.has_group(group) ? file.group(group).children() : std::vector<std::string>{};
  return facts;
}

void list_datasets(const hdf5::Group& group, const std::string& prefix, ordered_json& list) {
  for (const std::string& name : group.children()) {
    if (group.has_group(name)) {
      list_datasets(group.group(name), prefix + name + "/", list);
    } else if (group.has_dataset(name)) {
      const hdf5::Dataset dataset = group.dataset(name);
      list.push_back(
          {{"name", prefix + name}, {"kind", name_of(dataset.kind())}, {"shape", dataset.shape()}});
    }
  }
}

ordered_json inspect_hdf5(const fs::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  if (file.has("X") && file.has("obs")) return inspect_h5ad(file);
  ordered_json facts = {{"kind", "HDF5"}, {"datasets", ordered_json::array()}};
  list_datasets(file, "", facts["datasets"]);
  return facts;
}

// ---- Ours ----

ordered_json inspect_vocabulary(const fs::path& path) {
  const Vocabulary vocabulary = Vocabulary::load(path);
  std::map<std::string, std::int64_t> biotypes;
  std::int64_t human = 0, medians = 0;
  for (const GeneToken& token : vocabulary.tokens()) {
    human += token.species == Species::kHuman;
    medians += token.median.has_value();
    ++biotypes[token.biotype.empty() ? "unknown" : token.biotype];
  }
  const auto genes = static_cast<std::int64_t>(vocabulary.tokens().size());
  return {{"kind", "vocabulary"},
          {"tokens", vocabulary.size()},
          {"human_genes", human},
          {"mouse_genes", genes - human},
          {"homologous_pairs", vocabulary.homologous().size()},
          {"with_median", medians},
          {"biotypes", biotypes}};
}

ordered_json inspect_tokens(const fs::path& path, bool verify) {
  const TokenDirectory tokens(path, verify);
  std::int64_t mouse = 0;
  for (std::int64_t cell = 0; cell < tokens.cells(); ++cell)
    mouse += tokens[cell].species == Species::kMouse;
  const auto cells = static_cast<double>(std::max<std::int64_t>(1, tokens.cells()));
  ordered_json facts = {{"kind", "token directory"},
                        {"cells", tokens.cells()},
                        {"human_cells", tokens.cells() - mouse},
                        {"mouse_cells", mouse},
                        {"tokens", tokens.tokens()},
                        {"mean_length", static_cast<double>(tokens.tokens()) / cells},
                        {"longest", tokens.longest()},
                        {"vocabulary", tokens.vocabulary_size()},
                        {"verified", verify}};
  facts["manifest"] = ordered_json::parse(tokens.manifest());
  facts["manifest"].erase("run");
  return facts;
}

ordered_json inspect_tensors(const TensorArchive& archive) {
  ordered_json tensors = ordered_json::array();
  for (const ArchiveEntry& entry : archive.entries())
    tensors.push_back(
        {{"name", entry.name}, {"type", name_of(entry.type)}, {"shape", entry.shape}});
  return tensors;
}

ordered_json inspect_model(const fs::path& path) {
  ModelConfig config = read_model_config(path / "config.json");
  ordered_json facts = {{"kind", "model directory"}, {"parameters", config.parameter_count()}};
  facts["config"] = ordered_json::parse(config::to_json(config::fields_of(config)));
  const fs::path vocabulary = path / "vocab.json";
  facts["vocabulary_file"] = fs::exists(vocabulary) ? "vocab.json" : "none";
  if (const fs::path ours = path / "model.safetensors"; fs::exists(ours))
    facts["tensors"] = inspect_tensors(*open_safetensors(ours));
  else if (const fs::path torch = path / "pytorch_model.bin"; fs::exists(torch))
    facts["tensors"] = inspect_tensors(*open_torch_checkpoint(torch));
  return facts;
}

ordered_json read_json(const fs::path& path) {
  ordered_json json = ordered_json::parse(read_text(path), nullptr, false);
  check_input(!json.is_discarded(), "{}: expected JSON, found something else", path.string());
  return json;
}

// The last whole line of the metrics.
ordered_json last_metrics(const fs::path& path) {
  std::ifstream lines(path);
  ordered_json last = nullptr;
  for (std::string line; std::getline(lines, line);)
    if (ordered_json json = ordered_json::parse(line, nullptr, false); json.is_object())
      last = json;
  return last;
}

ordered_json inspect_run(const fs::path& path) {
  ordered_json facts = {{"kind", "run directory"}};
  std::vector<std::string> checkpoints;
  if (fs::is_directory(path / "checkpoints"))
    for (const auto& entry : fs::directory_iterator(path / "checkpoints"))
      if (entry.is_directory()) checkpoints.push_back(entry.path().filename().string());
  std::sort(checkpoints.begin(), checkpoints.end());
  facts["checkpoints"] = checkpoints;
  facts["model"] = fs::exists(path / "model/config.json") ? "model" : "none yet";
  if (fs::exists(path / "metrics.jsonl"))
    facts["last_metrics"] = last_metrics(path / "metrics.jsonl");
  if (fs::exists(path / "manifest.json")) {
    const ordered_json manifest = read_json(path / "manifest.json");
    for (const char* key : {"version", "start", "wall_seconds", "exit"})
      if (manifest.contains(key)) facts["manifest"][key] = manifest[key];
  }
  return facts;
}

ordered_json inspect_checkpoint(const fs::path& path) {
  ordered_json facts = {{"kind", "checkpoint"}, {"state", read_json(path / "state.json")}};
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".safetensors") {
      const auto archive = open_safetensors(entry.path());
      facts["files"].push_back({{"file", entry.path().filename().string()},
                                {"size", bytes_text(fs::file_size(entry.path()))},
                                {"tensors", archive->entries().size()}});
    }
  return facts;
}

ordered_json inspect_directory(const fs::path& path, bool verify) {
  if (fs::exists(path / "state.json")) return inspect_checkpoint(path);
  if (fs::exists(path / "metrics.jsonl") || fs::exists(path / "checkpoints"))
    return inspect_run(path);
  if (fs::exists(path / "config.json")) return inspect_model(path);
  if (fs::exists(path / "manifest.json")) return inspect_tokens(path, verify);
  fail(ErrorKind::kBadInput,
       "{}: expected a token, model, checkpoint or run directory, found no config.json, "
       "manifest.json, state.json or metrics.jsonl",
       path.string());
}

ordered_json inspect_file(const fs::path& path) {
  const fs::path extension = path.extension();
  if (extension == ".json") return inspect_vocabulary(path);
  if (extension == ".safetensors")
    return {{"kind", "safetensors"}, {"tensors", inspect_tensors(*open_safetensors(path))}};
  if (extension == ".bin")
    return {{"kind", "checkpoint (zip of tensors)"},
            {"tensors", inspect_tensors(*open_torch_checkpoint(path))}};
  return inspect_hdf5(path);
}

void inspect(const InspectSettings& settings, Run& run) {
  const bool directory = fs::is_directory(settings.path);
  ordered_json facts = {{"path", settings.path}};
  if (!directory) facts["size"] = bytes_text(fs::file_size(settings.path));
  facts.update(directory ? inspect_directory(settings.path, settings.verify)
                         : inspect_file(settings.path));
  run.result(facts, facts_text(facts));
}

}  // namespace

void add_inspect(CommandLine& line) {
  line.add<InspectSettings>(
      {.name = "inspect",
       .summary = "Says what is in a file or directory of cells, tokens, a model or a run",
       .description =
           "Understands .h5ad and other HDF5 files, vocab.json, model.safetensors,\n"
           "pytorch_model.bin, and token, model, checkpoint and run directories. 'counts' says\n"
           "whether the first stored values of a matrix are whole and not negative.\n\n"
           "  lodestone inspect cells.h5ad\n"
           "  lodestone inspect tokens --verify --json",
       .positionals = {"path"},
       .required = {"path"},
       .inputs = {"path"}},
      inspect);
}

}  // namespace lodestone::tools
