#include "bench/suite.h"

#include "engine/core/check.h"

namespace lodestone::bench {

namespace {

std::vector<std::int64_t> repeated(const std::vector<std::int64_t>& lengths, int times) {
  std::vector<std::int64_t> all;
  for (int i = 0; i < times; ++i) all.insert(all.end(), lengths.begin(), lengths.end());
  return all;
}

// Quantiles of a log-normal distribution cut at 2,048, as of genes in the published corpus: mean
// 1,207, standard deviation 508, one in eight at the cut.
const std::vector<std::int64_t> kRealLengths{429,  569,  668,  754,  835,  916,  998,  1084,
                                             1176, 1277, 1391, 1526, 1690, 1909, 2048, 2048};

}  // namespace

Shape shape_named(const std::string& name, Device device) {
  const bool on_cpu = device.is_cpu();
  if (name == "base")
    return {
        .model = {.vocabulary = 50'558},
        .full = on_cpu ? std::vector<std::int64_t>{2048} : repeated({2048}, 32),
        .mix = on_cpu ? std::vector<std::int64_t>{2048, 1480, 860, 412} : repeated(kRealLengths, 4),
        .simulated_cells = 1000,
        .simulated_genes = 6000,
        .simulated_depth = 6500};
  check(name == "small", "shape: expected base or small, got {}", name);
  return {.model = {.vocabulary = 2000,
                    .hidden = 128,
                    .layers = 2,
                    .heads = 4,
                    .intermediate = 512,
                    .max_positions = 256,
                    .prior_width = 128},
          .full = {256},
          .mix = {256, 180, 110, 54},
          .simulated_cells = 100,
          .simulated_genes = 400,
          .simulated_depth = 800};
}

}  // namespace lodestone::bench
