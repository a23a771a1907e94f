#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "bench/row.h"
#include "engine/core/profile.h"
#include "model/config.h"

namespace lodestone::bench {

// What the model's products have to do with a global batch.
struct StepExtents {
  std::vector<CellSize> cells;
  std::int64_t table_rows = 0;  // distinct pairs of a token and its prior knowledge
};

// FLOPs of the products of an op ("attention") in a part of the model ("encoder"); 0 where there
// are none.
double product_flops(std::string_view part, std::string_view work, Pass pass,
                     const ModelConfig& model, const StepExtents& extents);

// Rows "PREFIX/part/work/pass/dtype" of the profiles of several steps, each the median over the
// steps, in the order of the step. FLOPs are the model's, without what a backward computes again.
std::vector<Row> phase_rows(const std::vector<std::vector<Profile::Entry>>& steps,
                            const ModelConfig& model, const StepExtents& extents,
                            const std::string& prefix, DType dtype);

}  // namespace lodestone::bench
