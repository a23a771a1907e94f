#include "train/pretraining_evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "train/trainer.h"

namespace lodestone {

namespace {

constexpr std::int64_t kEvaluationEpoch = 0;  // held-out cells are in no other
constexpr std::size_t kSpeciesCount = 2;

// What the training cells alone tell about a gene.
class TrainingStatistics {
 public:
  TrainingStatistics(const TokenDirectory& cells, const std::vector<std::int64_t>& training,
                     std::int64_t max_length)
      : genes_(static_cast<std::size_t>(cells.vocabulary_size())) {
    for (auto& species : by_species_) species.resize(genes_);
    for (const std::int64_t index : training) {
      const CellTokens cell = cells[index];
      const auto length =
          std::min<std::size_t>(cell.tokens.size(), static_cast<std::size_t>(max_length));
      const auto species = static_cast<std::size_t>(cell.species);
      for (std::size_t k = 0; k < length; ++k) {
        Gene& gene = by_species_[species][cell.tokens[k]];
        gene.count += 1;
        gene.value_sum += cell.values[k];
        totals_[species].count += 1;
        totals_[species].value_sum += cell.values[k];
      }
    }
  }

  double frequency_loss(std::int32_t gene) const {
    const auto g = static_cast<std::size_t>(gene);
    return smoothed_loss(by_species_[0][g].count + by_species_[1][g].count,
                         totals_[0].count + totals_[1].count);
  }
  double frequency_loss(std::int32_t gene, Species species) const {
    const auto s = static_cast<std::size_t>(species);
    return smoothed_loss(by_species_[s][static_cast<std::size_t>(gene)].count, totals_[s].count);
  }
  double mean_value(std::int32_t gene, Species species) const {
    const Gene& own =
        by_species_[static_cast<std::size_t>(species)][static_cast<std::size_t>(gene)];
    if (own.count > 0) return own.value_sum / own.count;
    return (totals_[0].value_sum + totals_[1].value_sum) / (totals_[0].count + totals_[1].count);
  }

 private:
  struct Gene {
    double count = 0, value_sum = 0;
  };
  double smoothed_loss(double count, double total) const {
    const auto genes = static_cast<double>(genes_) - kSpecialTokens;
    return -std::log((count + 1) / (total + genes));
  }
  std::size_t genes_;
  std::array<std::vector<Gene>, kSpeciesCount> by_species_;
  std::array<Gene, kSpeciesCount> totals_{};
};

// Between the nearest positions left and right of `k` whose value is shown; masked values are -1.
std::optional<double> interpolate(std::span<const float> shown, std::size_t k) {
  std::size_t left = k, right = k + 1;
  while (left > 0 && shown[left - 1] < 0) --left;
  while (right < shown.size() && shown[right] < 0) ++right;
  const bool has_left = left > 0, has_right = right < shown.size();
  if (!has_left && !has_right) return std::nullopt;
  if (!has_right) return shown[left - 1];
  if (!has_left) return shown[right];
  const double weight =
      static_cast<double>(k - (left - 1)) / static_cast<double>(right - (left - 1));
  return shown[left - 1] + weight * (shown[right] - shown[left - 1]);
}

// The batch with only those chosen rows that show <mask>.
Batch showing_mask(const Batch& batch) {
  std::vector<std::int32_t> rows, genes;
  std::vector<float> values;
  for (std::size_t m = 0; m < static_cast<std::size_t>(batch.chosen()); ++m) {
    const std::int32_t row = batch.masked_rows.host<std::int32_t>()[m];
    if (batch.genes.host<std::int32_t>()[static_cast<std::size_t>(row)] != kMaskToken) continue;
    rows.push_back(row);
    genes.push_back(batch.gene_labels.host<std::int32_t>()[m]);
    values.push_back(batch.value_labels.host<float>()[m]);
  }
  Batch kept = batch;
  kept.masked_rows = Tensor::from(rows);
  kept.gene_labels = Tensor::from(genes);
  kept.value_labels = Tensor::from(values);
  return kept;
}

void add_baselines(const Batch& batch, const TrainingStatistics& training, PretrainingScore& sums) {
  const auto offsets = batch.offsets.host<std::int64_t>();
  const auto shown = batch.values.host<float>();
  for (std::size_t m = 0; m < static_cast<std::size_t>(batch.chosen()); ++m) {
    const std::int64_t row = batch.masked_rows.host<std::int32_t>()[m];
    const auto cell = static_cast<std::size_t>(
        std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin() - 1);
    const auto species = static_cast<Species>(batch.species.host<std::int32_t>()[cell]);
    const std::int32_t gene = batch.gene_labels.host<std::int32_t>()[m];
    const double value = batch.value_labels.host<float>()[m];
    const auto begin = static_cast<std::size_t>(offsets[cell]);
    const auto length = static_cast<std::size_t>(offsets[cell + 1]) - begin;
    const double gene_mean = training.mean_value(gene, species);
    const double between =
        interpolate(shown.subspan(begin, length), static_cast<std::size_t>(row) - begin)
            .value_or(gene_mean);
    sums.gene_frequency += training.frequency_loss(gene);
    sums.gene_species_frequency += training.frequency_loss(gene, species);
    sums.value_gene_mean += (gene_mean - value) * (gene_mean - value);
    sums.value_interpolation += (between - value) * (between - value);
  }
}

void add_model(const Batch& batch, const Model& model, PretrainingScore& sums) {
  if (batch.chosen() == 0) return;
  const NoGrad no_grad;
  const ForwardContext context;
  const TokenTable table = model.network.token_table({&batch, 1}, context);
  const Losses losses = model.network.losses(batch, table, context, batch.chosen());
  if (!std::isfinite(losses.id_sum()) || !std::isfinite(losses.value_sum()))
    fail(ErrorKind::kNumeric, "evaluate: a loss is not finite; the model's weights are broken");
  sums.gene_model += losses.id_sum();
  sums.value_model += losses.value_sum();
}

}  // namespace

PretrainingScore evaluate_pretraining(
    const Model& model, const TokenDirectory& cells, const Split& split,
    const LoaderConfig& batches,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  const ModelConfig& shape = model.network.config();
  check(!split.training.empty() && !split.held_out.empty(),
        "evaluate: the split leaves {} training and {} held-out cells; both must have some",
        split.training.size(), split.held_out.size());
  check(shape.vocabulary == cells.vocabulary_size(),
        "evaluate: the model was made for {} tokens, {} for {}", shape.vocabulary,
        cells.path().string(), cells.vocabulary_size());
  LoaderConfig config = batches;
  config.max_length = std::min(config.max_length, shape.max_positions);
  const TrainingStatistics training(cells, split.training, config.max_length);
  PretrainingScore score;
  score.training_cells = static_cast<std::int64_t>(split.training.size());
  score.held_out_cells = static_cast<std::int64_t>(split.held_out.size());
  std::int64_t done = 0;
  for (const std::vector<std::int64_t>& some : cut_by_tokens(cells, split.held_out, config)) {
    const Batch batch = showing_mask(make_batch(cells, some, done, kEvaluationEpoch, config));
    score.positions += batch.chosen();
    add_baselines(batch, training, score);
    add_model(batch, model, score);
    done += static_cast<std::int64_t>(some.size());
    if (progress) progress(done, score.held_out_cells);
  }
  check_input(score.positions > 0, "{}: no position of the held-out cells shows <mask>",
              cells.path().string());
  for (double* sum : {&score.gene_model, &score.gene_frequency, &score.gene_species_frequency,
                      &score.value_model, &score.value_gene_mean, &score.value_interpolation})
    *sum /= static_cast<double>(score.positions);
  return score;
}

std::string PretrainingScore::json() const {
  const nlohmann::ordered_json json = {{"training_cells", training_cells},
                                       {"held_out_cells", held_out_cells},
                                       {"positions", positions},
                                       {"gene_cross_entropy",
                                        {{"model", gene_model},
                                         {"gene_frequency", gene_frequency},
                                         {"species_gene_frequency", gene_species_frequency}}},
                                       {"value_squared_error",
                                        {{"model", value_model},
                                         {"gene_mean", value_gene_mean},
                                         {"neighbour_interpolation", value_interpolation}}}};
  return json.dump(2);
}

std::string PretrainingScore::table() const {
  return fmt::format(
      "{} held-out cells, {} positions that show <mask>; {} training cells\n"
      "masked gene, cross entropy (nats)      model {:.4f}\n"
      "                              gene frequency {:.4f}\n"
      "                  gene frequency per species {:.4f}\n"
      "masked value, squared error            model {:.4f}\n"
      "                           mean of that gene {:.4f}\n"
      "    interpolation between unmasked neighbours {:.5f}\n",
      held_out_cells, positions, training_cells, gene_model, gene_frequency, gene_species_frequency,
      value_model, value_gene_mean, value_interpolation);
}

}  // namespace lodestone
