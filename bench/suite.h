#pragma once
// Everything that is measured: ops, the data path, the optimizer, training steps by phase,
// embeddings.
#include <cstdint>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/row.h"
#include "bench/stopwatch.h"
#include "model/config.h"

namespace lodestone::bench {

// What is measured on: a model, and two batches of cells, by their numbers of genes.
struct Shape {
  ModelConfig model;
  std::vector<std::int64_t> full, mix;
  std::int64_t simulated_cells, simulated_genes;  // of each species, for the tokeniser
  double simulated_depth;
};
// "base": the published base model, one cell of 2,048 genes, and four of 1,200 in the mean.
// "small": the same in little, for seconds. On CUDA the base model gets batches that fill a GPU: 32
// cells of 2,048 genes, and 64 of the lengths that real cells have. Throws kInvalidArgument for
// another name.
Shape shape_named(const std::string& name, Device device);

struct Suite {
  Shape shape;
  Device device = Device::cpu();
  std::vector<DType> dtypes;
  Effort effort;
  std::uint64_t seed = 42;
  std::string data = {},
              model = {};  // a token directory and a model directory to take steps with; "" = none
  std::regex filter;       // only rows whose name it finds
  std::size_t beyond_caches = Stopwatch::kBeyondCaches;  // bytes overwritten for cold caches
  std::function<void(const Row&)> report = {};

  bool wants(const std::string& name) const { return std::regex_search(name, filter); }
};

// Each reports its rows as they are measured.
void measure_ops(const Suite& suite);
void measure_data(const Suite& suite);
void measure_training(const Suite& suite);

}  // namespace lodestone::bench
