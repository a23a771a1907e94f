#pragma once
// Exact nearest neighbours and label transfer by them: how well a space of cells separates labels.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lodestone {

enum class Metric : std::uint8_t { kEuclidean, kCosine };

struct NeighbourSearch {
  std::int64_t neighbours = 5;
  Metric metric = Metric::kEuclidean;
  bool exclude_same_index = false;  // query i is reference i: it is not its own neighbour
};

// For each row of `queries` the indices of its nearest rows of `reference`, nearest first, ties by
// index: [queries, neighbours]. Both are row-major with `columns` columns. Distances are summed in
// f32 in a fixed order; cosine compares rows scaled to length 1 (a zero row stays zero). Throws
// kInvalidArgument when sizes do not fit or there are fewer references than neighbours, kNumeric
// for a value that is not finite.
std::vector<std::int32_t> nearest_neighbours(std::span<const float> reference,
                                             std::span<const float> queries, std::int64_t columns,
                                             const NeighbourSearch& search);

struct ClassScore {
  std::string label;
  std::int64_t support = 0;  // queries of the class
  double precision = 0;      // 0 when the class is never predicted
  double recall = 0;         // 0 when it has no query
  double f1 = 0;
};

struct LabelTransfer {
  std::vector<std::int32_t> predicted;  // [queries]
  double accuracy = 0;
  double macro_f1 = 0;              // mean over the classes that occur among the queries
  std::vector<ClassScore> classes;  // those, in order of their code
};

// Each query takes the label most common among its neighbours; of equally common ones, that of the
// nearest neighbour. Codes index `labels`; a code of -1 (label missing) is refused: leave such
// cells out.
LabelTransfer transfer_labels(std::span<const std::int32_t> neighbours_of_queries,
                              std::int64_t neighbours,
                              std::span<const std::int32_t> reference_codes,
                              std::span<const std::int32_t> query_codes,
                              const std::vector<std::string>& labels);

}  // namespace lodestone
