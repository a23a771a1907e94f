#include "bench/step_phases.h"

#include <algorithm>
#include <string_view>

namespace lodestone::bench {

namespace {

// Queries times keys and rows of products, over all layers: all rows, but of the last layer only
// the chosen ones.
struct EncoderSums {
  double products = 0, pairs = 0;
};

EncoderSums encoder_sums(const ModelConfig& model, const StepExtents& extents) {
  const auto H = static_cast<double>(model.hidden), F = static_cast<double>(model.intermediate),
             before_last = static_cast<double>(model.layers - 1);
  EncoderSums sums;
  for (const CellSize& cell : extents.cells) {
    const auto rows = static_cast<double>(cell.genes + (model.use_cls_token ? 1 : 0)),
               chosen = static_cast<double>(cell.chosen);
    sums.products += before_last * rows * (4 * H * H + 2 * H * F) + 2 * rows * H * H +
                     chosen * (2 * H * H + 2 * H * F);
    sums.pairs += before_last * rows * rows + chosen * rows;
  }
  return sums;
}

}  // namespace

double product_flops(std::string_view part, std::string_view work, Pass pass,
                     const ModelConfig& model, const StepExtents& extents) {
  const auto H = static_cast<double>(model.hidden), P = static_cast<double>(model.prior_width),
             V = static_cast<double>(model.vocabulary),
             priors = static_cast<double>(model.priors().size());
  double genes = 0, chosen = 0;
  for (const CellSize& cell : extents.cells) {
    genes += static_cast<double>(cell.genes);
    chosen += static_cast<double>(cell.chosen);
  }
  const double both = pass == Pass::kBackward ? 2 : 1;  // gradients of input and weight
  if (part == "encoder" && work == "linear")
    return both * 2 * encoder_sums(model, extents).products;
  if (part == "encoder" && work == "attention")
    return both * 4 * encoder_sums(model, extents).pairs * H;
  if (part == "embedding" && work == "linear") return both * 2 * genes * H * H;
  if (part == "heads" && work == "linear") return both * 2 * chosen * (2 * H * H + H * (V + 1));
  if (part == "token_table" && work == "linear")  // prior knowledge has no gradient
    return 2 * static_cast<double>(extents.table_rows) *
           (priors * P * H + both * (1 + priors) * H * H);
  return 0;
}

namespace {

std::string row_name(const Profile::Entry& phase, const std::string& prefix, DType dtype,
                     bool has_backward) {
  std::string name = prefix;
  if (*phase.part) name += std::string("/") + phase.part;
  name += std::string("/") + phase.work;
  if (has_backward) name += phase.pass == Pass::kBackward ? "/backward" : "/forward";
  return name + "/" + std::string(name_of(dtype));
}

bool same(const Profile::Entry& a, const Profile::Entry& b) {
  return a.pass == b.pass && std::string_view(a.part) == b.part &&
         std::string_view(a.work) == b.work;
}

// The phase in every step; 0 in a step that did not have it.
Timing timing_of(const Profile::Entry& phase,
                 const std::vector<std::vector<Profile::Entry>>& steps) {
  std::vector<double> seconds;
  for (const auto& step : steps) {
    const auto found = std::find_if(step.begin(), step.end(),
                                    [&](const auto& entry) { return same(entry, phase); });
    seconds.push_back(found == step.end() ? 0 : found->seconds);
  }
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  return {median_of(seconds), *fastest, *slowest, static_cast<int>(steps.size())};
}

}  // namespace

std::vector<Row> phase_rows(const std::vector<std::vector<Profile::Entry>>& steps,
                            const ModelConfig& model, const StepExtents& extents,
                            const std::string& prefix, DType dtype) {
  std::vector<Row> rows;
  double step_seconds = 0;
  if (steps.empty()) return rows;
  for (const Profile::Entry& phase : steps.front()) {
    const bool of_model = *phase.part != '\0';
    const double flops = product_flops(phase.part, phase.work, phase.pass, model, extents);
    rows.push_back({.name = row_name(phase, prefix, dtype, of_model),
                    .timing = timing_of(phase, steps),
                    .work = {.flops = flops},
                    .roof = flops > 0 ? multiplies(dtype) : Roof::kNone,
                    .ops = phase.laps});
    step_seconds += rows.back().timing.median;
  }
  for (Row& row : rows) row.share_of_step = row.timing.median / step_seconds;
  return rows;
}

}  // namespace lodestone::bench
