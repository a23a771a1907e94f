// The model on a given batch: every hidden state, the heads' predictions and the losses.
// B cells of at most L genes, H wide, V tokens (arrays are padded; computation is not).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>

#include "engine/core/check.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "engine/ops.h"
#include "model/model_directory.h"
#include "model/padded_batch.h"
#include "tools/commands/commands.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

struct InferSettings {
  std::string model, input, output;
  bool logits = false;
  std::int64_t batch_tokens = 8192;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("model", model, "model directory");
    visit("input", input, "batch (HDF5), see below");
    visit("output", output, "results to write (HDF5)");
    visit("logits", logits, "write the gene head's [B, L, V] logits too");
    visit("batch_tokens", batch_tokens, "positions computed at once; bounds the memory");
  }
  void validate() const {
    check(batch_tokens >= 1, "--batch-tokens {}: expected 1 or more", batch_tokens);
  }
};

// The arrays of a batch file, their shapes and types checked; read in ranges of cells.
class BatchFile {
 public:
  explicit BatchFile(const std::string& path) : path_(path), file_(hdf5::File::open(path)) {
    const std::vector<std::int64_t> shape = dataset("input_ids", hdf5::Kind::kInteger).shape();
    check_input(shape.size() == 2 && shape[0] > 0 && shape[1] > 0,
                "{}: input_ids must be [cells, genes] and not empty, found [{}]", path_,
                fmt::join(shape, ", "));
    cells_ = shape[0];
    length_ = shape[1];
    expect("values", hdf5::Kind::kFloat, shape);
    expect("attention_mask", hdf5::Kind::kInteger, shape);
    expect("species", hdf5::Kind::kInteger, {cells_});
    labelled_ = file_.has("labels");
    check_input(labelled_ == file_.has("label_values"),
                "{}: labels and label_values go together, found only {}", path_,
                labelled_ ? "labels" : "label_values");
    if (!labelled_) return;
    expect("labels", hdf5::Kind::kInteger, shape);
    expect("label_values", hdf5::Kind::kFloat, shape);
  }
  const std::string& path() const { return path_; }
  std::int64_t cells() const { return cells_; }
  std::int64_t length() const { return length_; }
  bool labelled() const { return labelled_; }

  // Cells [begin, end) packed; every number is checked against the model.
  Batch read(std::int64_t begin, std::int64_t end, const ModelConfig& config) const {
    PaddedCells padded;
    padded.cells = end - begin;
    padded.length = length_;
    padded.input_ids = rows<std::int64_t>("input_ids", begin, end);
    padded.values = rows<float>("values", begin, end);
    padded.attention_mask = rows<std::int64_t>("attention_mask", begin, end);
    padded.species = rows<std::int64_t>("species", begin, end);
    if (labelled_) {
      padded.labels = rows<std::int64_t>("labels", begin, end);
      padded.label_values = rows<float>("label_values", begin, end);
    }
    check_pads(padded, begin, config.vocabulary);
    try {
      Batch batch = pack(padded, config.vocabulary, begin);
      check_lengths(batch, begin, config.max_positions);
      return batch;
    } catch (const Error& error) {
      fail(error.kind(), "{}, counting from cell {}: {}", path_, begin, error.what());
    }
  }

 private:
  hdf5::Dataset dataset(const std::string& name, hdf5::Kind kind) const {
    check_input(file_.has_dataset(name), "{}: expected a dataset {}, found none", path_, name);
    hdf5::Dataset found = file_.dataset(name);
    // Masks may be bools, and values whole numbers.
    const bool number = found.kind() == hdf5::Kind::kInteger || found.kind() == hdf5::Kind::kBool;
    const bool suits =
        kind == hdf5::Kind::kInteger ? number : number || found.kind() == hdf5::Kind::kFloat;
    check_input(suits, "{}: {} must hold {}, found another type", path_, name,
                kind == hdf5::Kind::kInteger ? "whole numbers" : "numbers");
    return found;
  }
  void expect(const std::string& name, hdf5::Kind kind, std::vector<std::int64_t> shape) const {
    const std::vector<std::int64_t> found = dataset(name, kind).shape();
    check_input(found == shape, "{}: {} must be [{}] like input_ids, found [{}]", path_, name,
                fmt::join(shape, ", "), fmt::join(found, ", "));
  }
  template <class T>
  std::vector<T> rows(const std::string& name, std::int64_t begin, std::int64_t end) const {
    return file_.dataset(name).read_rows<T>(begin, end);
  }
  // Packing looks at real genes only; a file with impossible numbers elsewhere is refused as well.
  void check_pads(const PaddedCells& padded, std::int64_t begin, std::int64_t vocabulary) const {
    for (std::size_t i = 0; i < padded.input_ids.size(); ++i) {
      const std::int64_t cell = begin + static_cast<std::int64_t>(i) / length_;
      const std::int64_t position = static_cast<std::int64_t>(i) % length_;
      check_input(padded.input_ids[i] >= 0 && padded.input_ids[i] < vocabulary,
                  "{}: input_ids[{}, {}] is {}; expected 0 to {}, the model's vocabulary", path_,
                  cell, position, padded.input_ids[i], vocabulary - 1);
      check_input(std::isfinite(padded.values[i]),
                  "{}: values[{}, {}] is {}; expected a finite number", path_, cell, position,
                  padded.values[i]);
    }
  }
  void check_lengths(const Batch& batch, std::int64_t begin, std::int64_t most) const {
    const auto offsets = batch.offsets.host<std::int64_t>();
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b)
      check_input(offsets[b + 1] - offsets[b] <= most,
                  "cell {} has {} genes; the model takes at most {}",
                  begin + static_cast<std::int64_t>(b), offsets[b + 1] - offsets[b], most);
  }

  std::string path_;
  hdf5::File file_;
  std::int64_t cells_ = 0, length_ = 0;
  bool labelled_ = false;
};

// The datasets of the output, written a range of cells at a time.
class ResultFile {
 public:
  ResultFile(const fs::path& path, const ModelConfig& config, const BatchFile& input, bool logits)
      : file_(hdf5::File::create(path)),
        rows_(input.length() + (config.use_cls_token ? 1 : 0)),
        length_(input.length()) {
    for (std::int64_t k = 0; k <= config.layers; ++k)
      hidden_.push_back(file_.create_contiguous<float>(fmt::format("hidden_{}", k),
                                                       {input.cells(), rows_, config.hidden}));
    values_ = std::make_unique<hdf5::Dataset>(
        file_.create_contiguous<float>("predicted_values", {input.cells(), input.length()}));
    if (logits)
      logits_ = std::make_unique<hdf5::Dataset>(file_.create_contiguous<float>(
          "logits", {input.cells(), input.length(), config.vocabulary}));
  }
  void write_states(std::int64_t begin, const Encoding& encoding) {
    for (std::size_t k = 0; k < hidden_.size(); ++k)
      write(hidden_[k], begin, unpack(encoding.layers[k], encoding.offsets, rows_));
  }
  void write_values(std::int64_t begin, const Tensor& values, const Tensor& offsets) {
    write(*values_, begin, unpack(values, offsets, length_));
  }
  // Of one cell: [its genes, V].
  void write_logits(std::int64_t cell, const Tensor& logits) {
    const Tensor offsets = Tensor::from(std::vector<std::int64_t>{0, logits.shape()[0]});
    write(*logits_, cell, unpack(logits, offsets, length_));
  }
  void write_scalar(const std::string& name, double value) {
    file_.create_numbers<double>(name, {}, std::span(&value, 1));
  }
  void flush() { file_.flush(); }

 private:
  static void write(hdf5::Dataset& dataset, std::int64_t begin, const Tensor& padded) {
    const Tensor here = padded.to(Device::cpu());
    dataset.write_rows<float>(begin, here.host<float>());
  }
  hdf5::File file_;
  std::int64_t rows_, length_;
  std::vector<hdf5::Dataset> hidden_;
  std::unique_ptr<hdf5::Dataset> values_, logits_;  // logits_: only if they are wanted
};

struct LossSums {
  double id = 0, value = 0;
  std::int64_t chosen = 0;
  // Means over the chosen positions; 0 when nothing was chosen.
  double id_loss() const { return chosen == 0 ? 0 : id / static_cast<double>(chosen); }
  double value_loss() const { return chosen == 0 ? 0 : value / static_cast<double>(chosen); }
  double loss() const { return kGeneLossWeight * id_loss() + kValueLossWeight * value_loss(); }
};

Tensor numbers_from(std::int64_t begin, std::int64_t end) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), static_cast<std::int32_t>(begin));
  return Tensor::from(rows);
}

void add_losses(const GeneCompass& network, const Batch& batch, const Encoding& encoding,
                LossSums& sums) {
  if (batch.chosen() == 0) return;
  const Tensor rows = network.state_rows(batch, batch.masked_rows);
  const Var id = cross_entropy(network.gene_logits(encoding, rows), batch.gene_labels);
  const Var value = squared_error(network.predicted_values(encoding, rows), batch.value_labels);
  sums.id += id.value().to(Device::cpu()).host<float>()[0];
  sums.value += value.value().to(Device::cpu()).host<float>()[0];
  sums.chosen += batch.chosen();
}

void write_cells(const GeneCompass& network, const Batch& batch, std::int64_t begin, bool logits,
                 ResultFile& result, LossSums& sums) {
  const Encoding encoding = network.encode(batch, ForwardContext{}, true);
  result.write_states(begin, encoding);
  const Tensor all = network.state_rows(batch, numbers_from(0, batch.tokens()));
  result.write_values(begin, network.predicted_values(encoding, all).value(), batch.offsets);
  if (logits) {
    const auto offsets = batch.offsets.host<std::int64_t>();
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      const Tensor rows = network.state_rows(batch, numbers_from(offsets[b], offsets[b + 1]));
      result.write_logits(begin + static_cast<std::int64_t>(b),
                          network.gene_logits(encoding, rows).value());
    }
  }
  add_losses(network, batch, encoding, sums);
}

void infer(const InferSettings& settings, Run& run) {
  const NoGrad no_gradients;
  const BatchFile input(settings.input);
  const std::unique_ptr<Model> model =
      load_model(settings.model, DType::kF32, {.device = run.device()});
  const ModelConfig& config = model->network.config();
  const std::int64_t at_once = std::max<std::int64_t>(1, settings.batch_tokens / input.length());
  LossSums sums;
  publish_file(settings.output, [&](const fs::path& staged) {
    ResultFile result(staged, config, input, settings.logits);
    Progress progress = run.progress("infer", "cells");
    for (std::int64_t begin = 0; begin < input.cells(); begin += at_once) {
      const std::int64_t end = std::min(begin + at_once, input.cells());
      write_cells(model->network, input.read(begin, end, config), begin, settings.logits, result,
                  sums);
      progress.update(end, input.cells());
    }
    if (input.labelled()) {
      result.write_scalar("id_loss", sums.id_loss());
      result.write_scalar("value_loss", sums.value_loss());
      result.write_scalar("loss", sums.loss());
    }
    result.flush();
  });
  ordered_json json = {{"output", settings.output}, {"cells", input.cells()}};
  std::string text = fmt::format("{}: {} cells", settings.output, input.cells());
  if (input.labelled()) {
    json.update({{"chosen", sums.chosen},
                 {"id_loss", sums.id_loss()},
                 {"value_loss", sums.value_loss()},
                 {"loss", sums.loss()}});
    text += fmt::format(", {} positions chosen: id loss {:.7g}, value loss {:.7g}, loss {:.7g}",
                        sums.chosen, sums.id_loss(), sums.value_loss(), sums.loss());
  }
  run.result(json, text);
}

}  // namespace

void add_infer(CommandLine& line) {
  line.add<InferSettings>(
      {.name = "infer",
       .summary = "Runs the model on a given batch: hidden states, predictions, losses",
       .description =
           "The batch is an HDF5 file with, at its root, input_ids int [B, L] (0 = pad, 1 = "
           "mask),\n"
           "values float [B, L], attention_mask [B, L] (1 = gene, right-padded), species [B]\n"
           "(0 human, 1 mouse) and optionally labels [B, L] (-100 = not chosen) with label_values\n"
           "[B, L]. Inputs are taken as they are: nothing is masked here.\n\n"
           "Written: hidden_0 (after the embedding) to hidden_N (last layer) float32 [B, L+1, H]\n"
           "with the CLS state in row 0 (a model without CLS: [B, L, H]), predicted_values [B, "
           "L],\n"
           "logits [B, L, V] with --logits, all 0 at pads; with labels id_loss, value_loss, "
           "loss.\n\n"
           "  lodestone infer --model base --input batch.h5 --output out.h5 --logits",
       .required = {"model", "input", "output"},
       .inputs = {"model", "input"},
       .outputs = {"output"}},
      infer);
}

}  // namespace lodestone::tools
