// Cells to vectors in obsm/X_lodestone of a copy of the input.
#include <fstream>

#include "data/h5ad_writer.h"
#include "engine/io/files.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_vocabulary.h"
#include "train/cell_embedding.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

struct EmbedSettings {
  std::string model, input, output, vocab;
  std::string name = "X_lodestone";
  std::string matrix = "auto";
  bool allow_noninteger = false;
  EmbeddingConfig embedding;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("model", model, "model directory");
    visit("input", input, "cells (.h5ad)");
    visit("output", output, "copy of the input with the embedding (.h5ad)");
    visit("vocab", vocab, "vocab.json; default: the one in the model directory");
    visit("name", name, "key in obsm, and in uns for how it was made");
    visit("matrix", matrix, "auto, X, raw/X or layers/NAME");
    visit("allow_noninteger", allow_noninteger, "accept numbers that are not counts");
    embedding.fields(visit);
  }
};

// Rows on their way to the file: kept on disk, so that memory does not grow with the cells.
class RowSpool {
 public:
  explicit RowSpool(const fs::path& output) : path_(staging_path(output).string() + ".rows") {
    stream_.open(path_, std::ios::binary | std::ios::trunc);
    if (!stream_) fail(ErrorKind::kIo, "{}: cannot be written", path_.string());
  }
  ~RowSpool() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;
  void append(std::span<const float> rows) {
    stream_.write(reinterpret_cast<const char*>(rows.data()),
                  static_cast<std::streamsize>(rows.size_bytes()));
    if (!stream_) fail(ErrorKind::kOutOfMemory, "{}: the disk is full", path_.string());
  }
  MappedFile finish() {
    stream_.close();
    return MappedFile(path_);
  }

 private:
  fs::path path_;
  std::ofstream stream_;
};

ordered_json describe(const EmbedSettings& settings, const EmbeddingReport& report,
                      const CellSource& source, const ModelConfig& model) {
  return {{"model", settings.model},
          {"weights", hash_file(fs::path(settings.model) / "model.safetensors")},
          {"matrix", source.matrix()},
          {"pooling", settings.embedding.pooling},
          {"layer", settings.embedding.layer},
          {"target_total", model.target_total},
          {"cells", report.cells},
          {"width", model.hidden},
          {"truncated", report.truncated},
          {"cells_without_genes", report.without_genes}};
}

void embed(const EmbedSettings& settings, Run& run) {
  const auto model = load_model(settings.model, DType::kF32, {.device = run.device()});
  const Vocabulary vocabulary = model_vocabulary(*model, settings.model, settings.vocab);
  const auto source = open_cells(
      settings.input, {.matrix = settings.matrix, .allow_noninteger = settings.allow_noninteger});
  RowSpool spool(settings.output);
  Progress progress = run.progress("embed", "cells");
  const EmbeddingReport report = embed_cells(
      *source, vocabulary, *model, settings.embedding,
      [&](std::span<const float> rows) { spool.append(rows); }, progress.callback());
  const MappedFile rows = spool.finish();
  const std::int64_t width = model->network.config().hidden;
  const ordered_json facts = describe(settings, report, *source, model->network.config());
  copy_h5ad_with_obsm(
      settings.input, settings.output, settings.name,
      {reinterpret_cast<const float*>(rows.bytes().data()), rows.bytes().size() / sizeof(float)},
      width, facts.dump());
  run.result(facts,
             fmt::format("{}: {} cells x {} in obsm/{} ({} pooling; {} cut to {} genes, {} "
                         "without a known gene)\n",
                         settings.output, report.cells, width, settings.name,
                         settings.embedding.pooling, report.truncated,
                         model->network.config().max_positions, report.without_genes.size()));
}

}  // namespace

void add_embed(CommandLine& line) {
  line.add<EmbedSettings>(
      {.name = "embed",
       .summary = "Embeds cells into obsm/X_lodestone of a copy of the input",
       .description =
           "Genes are ranked and valued as in training, with the vocabulary and medians of the "
           "model directory.\nEvery cell keeps its place; a cell without any known gene gets a row "
           "of zeros and is listed.\n\n  lodestone embed --model runs/a/model --input pbmc.h5ad "
           "--output pbmc.embedded.h5ad",
       .required = {"model", "input", "output"},
       .inputs = {"model", "input", "vocab"},
       .outputs = {"output"}},
      embed);
}

}  // namespace lodestone::tools
