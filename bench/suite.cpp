#include "bench/suite.h"

#include "engine/core/check.h"

namespace lodestone::bench {

Shape shape_named(const std::string& name) {
  if (name == "base")
    return {.model = {.vocabulary = 50'558},
            .full = {2048},
            .mix = {2048, 1480, 860, 412},
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
