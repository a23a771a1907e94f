#pragma once
// Attention computed twice: on the CPU in f64, by the kernels that the CPU's tests check against
// the definition, and on CUDA in T, from the same inputs, all of which are bf16 numbers.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/attention.h"
#include "tests/gpu/device_array.h"

namespace lodestone::testing {

// Cells with some queries and some keys each.
struct AttentionCase {
  std::vector<std::int64_t> queries, keys;
  std::int64_t heads = 1, head_size = 64;
  bool dropout = false;
  // Added to gradients of ones; otherwise written over NaN.
  bool accumulate = false;
  double input_scale = 1;
  // Added to a column of every query's head, taken from the keys': scores are lower by its square
  // over sqrt(head_size).
  float opposition = 0;
};

// Every row is a query.
inline AttentionCase whole_cells(const std::vector<std::int64_t>& lengths, std::int64_t heads,
                                 std::int64_t head_size, bool dropout) {
  return {lengths, lengths, heads, head_size, dropout};
}

// What one run gives: y [M, width], log_sums [M, heads], the gradients in tensors of twice that
// width: queries have the first half of theirs; keys the first, values the second half of theirs.
struct AttentionResults {
  std::vector<double> y, log_sums, dqueries, dkeys_values;
  bool operator==(const AttentionResults&) const = default;
};

template <class T>
class AttentionTensors {
 public:
  explicit AttentionTensors(const AttentionCase& c)
      : case_(c),
        query_offsets_(offsets_of(c.queries)),
        offsets_(offsets_of(c.keys)),
        order_(c.keys.size()),
        width_(c.heads * c.head_size),
        queries_(inputs(query_offsets_.back() * 2 * width_, 1)),
        keys_values_(inputs(offsets_.back() * 2 * width_, 2)),
        dy_(inputs(query_offsets_.back() * width_, 3)) {
    add_to_heads(queries_, c.opposition);
    add_to_heads(keys_values_, -c.opposition);
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
      return c.keys[static_cast<std::size_t>(a)] > c.keys[static_cast<std::size_t>(b)];
    });
    for (std::int64_t row = 0; row < query_offsets_.back(); ++row)
      row_keys_.push_back(static_cast<std::int64_t>(row_key(5, 3 * row)));
  }

  AttentionResults on_cpu() {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    auto [queries, keys_values] = gradients();
    std::vector<T> y(dy_.size());
    std::vector<Wide> log_sums(row_keys_.size() * static_cast<std::size_t>(case_.heads));
    const auto layout = layout_of(query_offsets_.data(), offsets_.data(), order_.data());
    const std::int64_t bytes = std::max(attention_forward_workspace(layout, cpu_stream()),
                                        attention_backward_workspace(layout, cpu_stream()));
    std::vector<std::byte> workspace(static_cast<std::size_t>(bytes));
    run(layout, row_keys_.data(),
        {queries_.data(), keys_values_.data(), dy_.data(), y.data(), log_sums.data(),
         queries.data(), keys_values.data(), workspace.data()},
        cpu_stream());
    return {wide(y), wide(log_sums), wide(queries), wide(keys_values)};
  }

  AttentionResults on_cuda() {
    CudaStream stream(0);
    const auto [gradient_queries, gradient_keys_values] = gradients();
    DeviceArray<std::int64_t> query_offsets(query_offsets_), offsets(offsets_), row_keys(row_keys_);
    DeviceArray<std::int32_t> order(order_);
    DeviceArray<T> queries(queries_), keys_values(keys_values_), dy(dy_),
        y(std::ssize(dy_), T(NAN)), dqueries(gradient_queries), dkeys_values(gradient_keys_values);
    DeviceArray<float> log_sums(std::ssize(row_keys_) * case_.heads, NAN);
    const auto layout = layout_of(query_offsets.data(), offsets.data(), order.data());
    DeviceArray<std::uint8_t> workspace(attention_backward_workspace(layout, stream), 0xff);
    run(layout, row_keys.data(),
        {queries.data(), keys_values.data(), dy.data(), y.data(), log_sums.data(), dqueries.data(),
         dkeys_values.data(), workspace.data()},
        stream);
    return {wide(y.host()), wide(log_sums.host()), wide(dqueries.host()),
            wide(dkeys_values.host())};
  }

 private:
  struct Pointers {
    const T *queries, *keys_values, *dy;
    T* y;
    void* log_sums;
    T *dqueries, *dkeys_values;
    void* workspace;
  };

  static std::vector<std::int64_t> offsets_of(const std::vector<std::int64_t>& lengths) {
    std::vector<std::int64_t> offsets{0};
    for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
    return offsets;
  }
  std::vector<T> inputs(std::int64_t count, unsigned seed) const {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0, static_cast<float>(case_.input_scale));
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(static_cast<float>(BFloat16(normal(engine))));
    return values;
  }
  // To the first column of each head in the first half of every row.
  void add_to_heads(std::vector<T>& rows, float value) const {
    const auto width = static_cast<std::size_t>(width_);
    for (std::size_t row = 0; row < rows.size(); row += 2 * width)
      for (std::size_t i = row; i < row + width; i += static_cast<std::size_t>(case_.head_size))
        rows[i] = static_cast<T>(static_cast<float>(BFloat16(static_cast<float>(rows[i]) + value)));
  }
  // As they are before: of the queries' second half nothing may change.
  std::pair<std::vector<T>, std::vector<T>> gradients() const {
    const T before = case_.accumulate ? T(1) : T(NAN);
    std::pair<std::vector<T>, std::vector<T>> both{std::vector<T>(queries_.size(), before),
                                                   std::vector<T>(keys_values_.size(), before)};
    const auto width = static_cast<std::size_t>(width_);
    for (std::size_t i = 0; i < both.first.size(); ++i)
      if (i % (2 * width) >= width) both.first[i] = T(3);
    return both;
  }
  template <class U>
  static std::vector<double> wide(const std::vector<U>& values) {
    std::vector<double> result;
    for (const U& value : values) {
      if constexpr (std::is_same_v<U, double>)
        result.push_back(value);
      else
        result.push_back(static_cast<float>(value));
    }
    return result;
  }

  kernels::AttentionLayout layout_of(const std::int64_t* query_offsets, const std::int64_t* offsets,
                                     const std::int32_t* order) const {
    return {.query_offsets = query_offsets,
            .offsets = offsets,
            .cells_by_length = order,
            .cells = std::ssize(order_),
            .longest = *std::max_element(case_.keys.begin(), case_.keys.end()),
            .longest_queries = *std::max_element(case_.queries.begin(), case_.queries.end()),
            .heads = case_.heads,
            .head_size = case_.head_size,
            .workers = 1,
            .dtype = kDTypeOf<T>};
  }

  template <class Stream>
  void run(const kernels::AttentionLayout& layout, const std::int64_t* row_keys, const Pointers& p,
           Stream& stream) const {
    kernels::AttentionDropout dropout = {};
    if (case_.dropout)
      dropout = {true, row_keys, RandomKey{3}, drop_threshold(0.2f), 1 / (1 - 0.2)};
    const kernels::RowsOfHeads<const void*> queries{p.queries, 2 * width_},
        keys{p.keys_values, 2 * width_}, values{p.keys_values + width_, 2 * width_};
    kernels::run(kernels::AttentionForwardArgs{queries, keys, values, p.y, p.log_sums, p.workspace,
                                               layout, dropout},
                 stream);
    kernels::run(
        kernels::AttentionBackwardArgs{.dy = p.dy,
                                       .queries = queries,
                                       .keys = keys,
                                       .values = values,
                                       .y = p.y,
                                       .log_sums = p.log_sums,
                                       .dqueries = {p.dqueries, case_.accumulate},
                                       .dkeys = {p.dkeys_values, case_.accumulate},
                                       .dvalues = {p.dkeys_values + width_, case_.accumulate},
                                       .workspace = p.workspace,
                                       .layout = layout,
                                       .dropout = dropout},
        stream);
  }

  AttentionCase case_;
  std::vector<std::int64_t> query_offsets_, offsets_, row_keys_;
  std::vector<std::int32_t> order_;
  std::int64_t width_;
  std::vector<T> queries_, keys_values_, dy_;
};

// Of rows of `columns` elements: the length of the difference over that of the row, or that of a
// usual row where this is more; the largest of all rows. Infinite where there is a NaN.
inline double worst_row(const std::vector<double>& got, const std::vector<double>& expected,
                        std::int64_t columns) {
  if (got.size() != expected.size()) return INFINITY;
  const auto length = [](const double* values, std::int64_t count) {
    return std::sqrt(std::inner_product(values, values + count, values, 0.0));
  };
  const std::int64_t count = std::ssize(got);
  const double usual = length(expected.data(), count) *
                       std::sqrt(static_cast<double>(columns) / static_cast<double>(count + 1));
  double worst = 0;
  std::vector<double> difference(static_cast<std::size_t>(columns));
  for (std::int64_t at = 0; at < count; at += columns) {
    std::transform(got.data() + at, got.data() + at + columns, expected.data() + at,
                   difference.data(), std::minus<>());
    const double error = length(difference.data(), columns) /
                         std::max(length(expected.data() + at, columns), usual + 1e-30);
    if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
  }
  return worst;
}

}  // namespace lodestone::testing
