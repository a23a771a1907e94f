#include "train/cell_embedding.h"

#include <algorithm>
#include <cmath>

#include "engine/core/log.h"

namespace lodestone {

namespace {

// A cell waiting for its micro-batch.
struct Waiting {
  std::size_t row;  // in the block
  RankedGenes genes;
};

Batch unmasked_batch(std::span<const Waiting> cells, Species species) {
  std::vector<std::int32_t> genes;
  std::vector<float> values;
  std::vector<std::int64_t> offsets{0}, ordinals;
  for (const Waiting& cell : cells) {
    genes.insert(genes.end(), cell.genes.tokens.begin(), cell.genes.tokens.end());
    values.insert(values.end(), cell.genes.values.begin(), cell.genes.values.end());
    offsets.push_back(static_cast<std::int64_t>(genes.size()));
    ordinals.push_back(static_cast<std::int64_t>(ordinals.size()));
  }
  Batch batch;
  batch.species =
      Tensor::from(std::vector<std::int32_t>(cells.size(), static_cast<std::int32_t>(species)));
  batch.genes = Tensor::from(genes);
  batch.values = Tensor::from(values);
  batch.offsets = Tensor::from(offsets);
  batch.ordinals = Tensor::from(ordinals);
  return batch;
}

// Pools rows [begin, end) of states [R, H] into `out` [H].
void pool(std::span<const float> states, std::int64_t begin, std::int64_t end, Pooling pooling,
          bool has_cls, std::span<float> out) {
  const auto H = static_cast<std::int64_t>(out.size());
  if (pooling == Pooling::kCls) {
    std::copy_n(states.begin() + begin * H, H, out.begin());
  } else {
    const std::int64_t first = begin + (has_cls ? 1 : 0);
    std::vector<double> sum(out.size(), 0);
    for (std::int64_t row = first; row < end; ++row)
      for (std::size_t c = 0; c < sum.size(); ++c)
        sum[c] += states[static_cast<std::size_t>(row * H) + c];
    for (std::size_t c = 0; c < sum.size(); ++c)
      out[c] = static_cast<float>(sum[c] / static_cast<double>(end - first));
  }
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); }))
    fail(ErrorKind::kNumeric, "embedding: a state is not finite; the model's weights are broken");
}

// How the values were made that the model was trained on.
ValueOptions values_of(const ModelConfig& model) {
  return {model.target_total > 0, model.target_total, model.max_positions};
}

// One pass over a source.
class Embedder {
 public:
  Embedder(CellSource& source, const Vocabulary& vocabulary, const Model& model,
           const EmbeddingConfig& config)
      : model_(model),
        config_(config),
        mapping_(map_genes(source, vocabulary, config.given_species())),
        options_(values_of(model.network.config())),
        tokenizer_(mapping_, vocabulary, options_) {}

  std::vector<float> embed(const CellBlock& block) {
    const auto H = static_cast<std::size_t>(model_.network.config().hidden);
    std::vector<float> rows(static_cast<std::size_t>(block.cells()) * H, 0);
    std::vector<Waiting> waiting;
    std::int64_t tokens = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(block.cells()); ++i) {
      RankedGenes genes = rank(block, i);
      report_.truncated += genes.truncated ? 1 : 0;
      if (genes.tokens.empty()) {
        report_.without_genes.push_back(block.first_cell + static_cast<std::int64_t>(i));
        continue;
      }
      const auto length = static_cast<std::int64_t>(genes.tokens.size());
      if (!waiting.empty() && tokens + length > config_.micro_batch_tokens) {
        compute(waiting, rows);
        waiting.clear();
        tokens = 0;
      }
      tokens += length;
      waiting.push_back({i, std::move(genes)});
    }
    if (!waiting.empty()) compute(waiting, rows);
    report_.cells += block.cells();
    return rows;
  }

  const EmbeddingReport& report() const { return report_; }

 private:
  RankedGenes rank(const CellBlock& block, std::size_t i) const {
    const auto begin = static_cast<std::size_t>(block.offsets[i]);
    const auto size = static_cast<std::size_t>(block.offsets[i + 1]) - begin;
    const auto counts = std::span(block.counts).subspan(begin, size);
    double total = 0;
    for (const float count : counts) total += count;
    return tokenizer_(std::span(block.genes).subspan(begin, size), counts, total);
  }

  void compute(std::span<const Waiting> cells, std::vector<float>& rows) const {
    const NoGrad no_grad;
    const ModelConfig& shape = model_.network.config();
    const bool last = config_.layer < 0 || config_.layer == shape.layers;
    const Encoding encoding =
        model_.network.encode(unmasked_batch(cells, mapping_.species), ForwardContext{}, !last);
    const Tensor chosen =
        last ? encoding.states.value() : encoding.layers[static_cast<std::size_t>(config_.layer)];
    const Tensor states =
        (chosen.dtype() == DType::kF32 ? chosen : chosen.cast(DType::kF32)).to(Device::cpu());
    const auto offsets = encoding.offsets.host<std::int64_t>();
    const auto H = static_cast<std::size_t>(shape.hidden);
    for (std::size_t b = 0; b < cells.size(); ++b)
      pool(states.host<float>(), offsets[b], offsets[b + 1], config_.pooling_kind(),
           shape.use_cls_token, std::span(rows).subspan(cells[b].row * H, H));
  }

  const Model& model_;
  const EmbeddingConfig& config_;
  GeneMapping mapping_;
  ValueOptions options_;
  CellTokenizer tokenizer_;
  EmbeddingReport report_;
};

}  // namespace

void EmbeddingConfig::validate(const ModelConfig& model) const {
  check(pooling == "cls" || pooling == "mean", "pooling: expected cls or mean, got {}", pooling);
  check(pooling != "cls" || model.use_cls_token, "pooling: this model has no CLS token; use mean");
  check(layer >= -1 && layer <= model.layers, "layer: expected -1 to {}, got {}", model.layers,
        layer);
  check(species == "auto" || given_species(), "species: expected auto, human or mouse, got {}",
        species);
  check(micro_batch_tokens > 0, "micro_batch_tokens: expected more than 0, got {}",
        micro_batch_tokens);
}

std::optional<Species> EmbeddingConfig::given_species() const {
  if (species == "human") return Species::kHuman;
  if (species == "mouse") return Species::kMouse;
  return std::nullopt;
}

EmbeddingReport embed_cells(CellSource& source, const Vocabulary& vocabulary, const Model& model,
                            const EmbeddingConfig& config, const EmbeddingSink& sink,
                            const EmbeddingProgress& progress) {
  config.validate(model.network.config());
  check_input(vocabulary.size() == model.network.config().vocabulary,
              "the vocabulary has {} tokens, but the model was made for {}", vocabulary.size(),
              model.network.config().vocabulary);
  Embedder embedder(source, vocabulary, model, config);
  // Small enough that progress is seen, whatever the file could give at once.
  const std::int64_t step = std::min<std::int64_t>(source.block_cells(), 1024);
  for (std::int64_t begin = 0; begin < source.cells(); begin += step) {
    sink(embedder.embed(source.read(begin, std::min(begin + step, source.cells()))));
    if (progress) progress(embedder.report().cells, source.cells());
  }
  if (const std::size_t empty = embedder.report().without_genes.size(); empty > 0)
    log::warning("{}: {} cells have no gene of the vocabulary; their rows are zeros",
                 source.path().string(), empty);
  return embedder.report();
}

}  // namespace lodestone
