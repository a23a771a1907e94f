#include "train/neighbours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

using Candidate = std::pair<float, std::int32_t>;  // distance, index: ordered as ties want it

constexpr std::int64_t kReferencesPerTile = 256;  // stay in the cache while queries pass over them

std::int64_t rows_of(std::span<const float> values, std::int64_t columns, const char* name) {
  const auto size = static_cast<std::int64_t>(values.size());
  check(columns > 0 && size % columns == 0, "neighbours: {} holds {} values, no whole rows of {}",
        name, size, columns);
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end())
    fail(ErrorKind::kNumeric, "neighbours: {} has a value that is not finite in row {}, column {}",
         name, (bad - values.begin()) / columns, (bad - values.begin()) % columns);
  return size / columns;
}

std::vector<float> unit_rows(std::span<const float> values, std::int64_t columns) {
  std::vector<float> result(values.begin(), values.end());
  const auto width = static_cast<std::size_t>(columns);
  for (std::size_t start = 0; start < result.size(); start += width) {
    double square = 0;
    for (std::size_t i = start; i < start + width; ++i)
      square += static_cast<double>(result[i]) * result[i];
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (std::size_t i = start; i < start + width; ++i)
      result[i] = static_cast<float>(result[i] * scale);
  }
  return result;
}

// Sixteen partial sums, so that the compiler may vectorise without reordering anything.
float squared_distance(const float* a, const float* b, std::int64_t columns) {
  constexpr std::int64_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const float difference = a[i + lane] - b[i + lane];
      sums[static_cast<std::size_t>(lane)] += difference * difference;
    }
  float total = 0;
  for (; i < columns; ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  for (float sum : sums) total += sum;
  return total;
}

// The `keep` smallest candidates seen, as a heap with the largest of them in front.
void offer(std::vector<Candidate>& heap, std::size_t keep, Candidate candidate) {
  if (heap.size() == keep) {
    if (!(candidate < heap.front())) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = candidate;
  } else {
    heap.push_back(candidate);
  }
  std::push_heap(heap.begin(), heap.end());
}

struct Search {
  std::span<const float> reference, queries;
  std::int64_t columns, references;
  NeighbourSearch options;
};

void search_queries(const Search& search, std::int64_t begin, std::int64_t end,
                    std::int32_t* nearest) {
  const auto keep = static_cast<std::size_t>(search.options.neighbours);
  std::vector<std::vector<Candidate>> heaps(static_cast<std::size_t>(end - begin));
  for (std::int64_t tile = 0; tile < search.references; tile += kReferencesPerTile) {
    const std::int64_t last = std::min(tile + kReferencesPerTile, search.references);
    for (std::int64_t query = begin; query < end; ++query) {
      const float* row = search.queries.data() + query * search.columns;
      std::vector<Candidate>& heap = heaps[static_cast<std::size_t>(query - begin)];
      for (std::int64_t r = tile; r < last; ++r) {
        if (search.options.exclude_same_index && r == query) continue;
        const float* other = search.reference.data() + r * search.columns;
        offer(heap, keep,
              {squared_distance(row, other, search.columns), static_cast<std::int32_t>(r)});
      }
    }
  }
  for (std::int64_t query = begin; query < end; ++query) {
    std::vector<Candidate>& heap = heaps[static_cast<std::size_t>(query - begin)];
    std::sort_heap(heap.begin(), heap.end());
    for (std::size_t i = 0; i < keep; ++i)
      nearest[static_cast<std::size_t>(query) * keep + i] = heap[i].second;
  }
}

std::int32_t majority(std::span<const std::int32_t> neighbours,
                      std::span<const std::int32_t> codes) {
  std::int32_t winner = -1;
  std::int64_t most = 0;
  for (std::int32_t neighbour : neighbours) {
    const std::int32_t code = codes[static_cast<std::size_t>(neighbour)];
    const std::int64_t votes = std::count_if(
        neighbours.begin(), neighbours.end(),
        [&](std::int32_t other) { return codes[static_cast<std::size_t>(other)] == code; });
    if (votes > most) winner = code, most = votes;
  }
  return winner;
}

void check_codes(std::span<const std::int32_t> codes, std::size_t labels, const char* name) {
  for (std::int32_t code : codes)
    check(code >= 0 && static_cast<std::size_t>(code) < labels,
          "label transfer: {} codes must be 0 to {}, found {}", name,
          static_cast<std::int64_t>(labels) - 1, code);
}

void score(LabelTransfer& result, std::span<const std::int32_t> truth,
           const std::vector<std::string>& labels) {
  std::vector<std::int64_t> support(labels.size()), predicted(labels.size()), right(labels.size());
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto expected = static_cast<std::size_t>(truth[i]);
    const auto found = static_cast<std::size_t>(result.predicted[i]);
    ++support[expected];
    ++predicted[found];
    if (expected == found) ++right[expected], ++hits;
  }
  result.accuracy = static_cast<double>(hits) / static_cast<double>(truth.size());
  for (std::size_t c = 0; c < labels.size(); ++c) {
    if (support[c] == 0) continue;
    const auto hit = static_cast<double>(right[c]);
    ClassScore scores{labels[c], support[c], 0, hit / static_cast<double>(support[c]), 0};
    if (predicted[c] > 0) scores.precision = hit / static_cast<double>(predicted[c]);
    scores.f1 = 2 * hit / static_cast<double>(support[c] + predicted[c]);
    result.macro_f1 += scores.f1;
    result.classes.push_back(scores);
  }
  result.macro_f1 /= static_cast<double>(result.classes.size());
}

}  // namespace

std::vector<std::int32_t> nearest_neighbours(std::span<const float> reference,
                                             std::span<const float> queries, std::int64_t columns,
                                             const NeighbourSearch& search) {
  const std::int64_t references = rows_of(reference, columns, "the reference");
  const std::int64_t count = rows_of(queries, columns, "the queries");
  const std::int64_t usable = references - (search.exclude_same_index ? 1 : 0);
  check(search.neighbours >= 1 && search.neighbours <= usable,
        "neighbours: {} were asked for, there are {} to choose from", search.neighbours, usable);
  check(!search.exclude_same_index || references == count,
        "neighbours: leaving each query out needs as many queries as references, {} and {}", count,
        references);
  std::vector<float> unit_reference, unit_queries;
  Search plan{reference, queries, columns, references, search};
  if (search.metric == Metric::kCosine) {
    unit_reference = unit_rows(reference, columns);
    unit_queries = unit_rows(queries, columns);
    plan.reference = unit_reference;
    plan.queries = unit_queries;
  }
  std::vector<std::int32_t> nearest(static_cast<std::size_t>(count * search.neighbours));
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    search_queries(plan, begin, end, nearest.data());
  });
  return nearest;
}

LabelTransfer transfer_labels(std::span<const std::int32_t> neighbours_of_queries,
                              std::int64_t neighbours,
                              std::span<const std::int32_t> reference_codes,
                              std::span<const std::int32_t> query_codes,
                              const std::vector<std::string>& labels) {
  check(neighbours >= 1 && !query_codes.empty(), "label transfer: needs neighbours and queries");
  const auto width = static_cast<std::size_t>(neighbours);
  check(neighbours_of_queries.size() == width * query_codes.size(),
        "label transfer: {} queries with {} neighbours each need {} indices, have {}",
        query_codes.size(), neighbours, width * query_codes.size(), neighbours_of_queries.size());
  check_codes(reference_codes, labels.size(), "reference");
  check_codes(query_codes, labels.size(), "query");
  for (std::int32_t index : neighbours_of_queries)
    check(index >= 0 && static_cast<std::size_t>(index) < reference_codes.size(),
          "label transfer: neighbour {} is not among the {} references", index,
          reference_codes.size());
  LabelTransfer result;
  for (std::size_t query = 0; query < query_codes.size(); ++query)
    result.predicted.push_back(
        majority(neighbours_of_queries.subspan(query * width, width), reference_codes));
  score(result, query_codes, labels);
  return result;
}

}  // namespace lodestone
