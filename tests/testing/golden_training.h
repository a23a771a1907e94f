#pragma once
// The twelve training steps of a golden fixture (tests/testing/golden.h).
#include <fmt/format.h>

#include <cstdint>

#include "tests/testing/golden.h"
#include "train/trainer.h"

namespace lodestone::testing {

// As the fixture was made: peak 1e-3, warm-up 4, linear decay to 0 at the last step.
inline TrainConfig fixture_settings() {
  TrainConfig config;
  config.schedule = {.shape = "linear", .peak_rate = 1e-3, .warmup_steps = 4};
  return config;
}

inline GlobalBatch fixture_batch(const hdf5::File& file, std::int64_t step,
                                 std::int64_t vocabulary) {
  const hdf5::Group group = file.group(fmt::format("training/step_{:02d}", step));
  GlobalBatch batch;
  batch.micro_batches.push_back(pack(read_cells(group, true, "input_ids", "values"), vocabulary));
  batch.cells = batch.micro_batches[0].cells();
  batch.tokens = batch.micro_batches[0].tokens();
  batch.chosen = batch.micro_batches[0].chosen();
  return batch;
}

}  // namespace lodestone::testing
