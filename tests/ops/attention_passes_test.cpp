// The ways of computing attention against each other: in f64, on any processor, and what this
// processor has; whole and cut into parts.
#include "kernels/cpu/attention_passes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "kernels/cpu/attention_items.h"
#include "tests/testing/op_case.h"

namespace lodestone::kernels {
namespace {

using lodestone::testing::random_f64;
using lodestone::testing::relative_error;

std::vector<std::int64_t> offsets_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

// Cells with some queries and some keys each, the longest first.
struct Problem {
  std::vector<std::int64_t> queries, keys;
  std::int64_t heads, head_size;
  bool dropout = false;
  int workers = 1;
};

// The tensors of both passes, in one dtype. Inputs are bf16 numbers in every dtype.
struct Attention {
  Attention(const Problem& p, DType dtype)
      : query_offsets(offsets_of(p.queries)), offsets(offsets_of(p.keys)), order(p.keys.size()) {
    std::iota(order.begin(), order.end(), 0);
    const std::int64_t m = query_offsets.back(), n = offsets.back(), width = p.heads * p.head_size;
    const auto input = [&](std::int64_t rows, std::int64_t columns, std::uint64_t key) {
      return random_f64({rows, columns}, key).cast(DType::kBf16).cast(dtype);
    };
    queries = input(m, width, 1);
    keys_values = input(n, 2 * width, 2);
    dy = input(m, width, 3);
    y = Tensor::empty({m, width}, dtype, Device::cpu());
    log_sums = Tensor::empty({m, p.heads}, accumulation_type(dtype), Device::cpu());
    dqueries = Tensor::zeros({m, width}, dtype, Device::cpu());
    dkeys_values = Tensor::zeros({n, 2 * width}, dtype, Device::cpu());
    for (std::int64_t row = 0; row < m; ++row)
      row_keys.push_back(static_cast<std::int64_t>(row_key(5, row)));
    layout = {.query_offsets = query_offsets.data(),
              .offsets = offsets.data(),
              .cells_by_length = order.data(),
              .cells = static_cast<std::int64_t>(order.size()),
              .longest = *std::max_element(p.keys.begin(), p.keys.end()),
              .heads = p.heads,
              .head_size = p.head_size,
              .workers = p.workers,
              .dtype = dtype};
    if (p.dropout)
      dropout = {true, row_keys.data(), RandomKey{3}, drop_threshold(0.2f), 1 / (1 - 0.2)};
  }

  std::byte* values_of(Tensor& t) const {
    return static_cast<std::byte*>(t.data()) +
           t.bytes() / static_cast<std::size_t>(2 * offsets.back());
  }

  void run(const AttentionPasses& passes) {
    const std::int64_t width = queries.shape()[1];
    const RowsOfHeads<const void*> q{queries.data(), width}, k{keys_values.data(), 2 * width},
        v{values_of(keys_values), 2 * width};
    Tensor space =
        Tensor::empty({std::max(passes.workspace(layout, false), passes.workspace(layout, true))},
                      DType::kU8, Device::cpu());
    passes.forward({q, k, v, y.data(), log_sums.data(), space.data(), layout, dropout});
    passes.backward({.dy = dy.data(),
                     .queries = q,
                     .keys = k,
                     .values = v,
                     .y = y.data(),
                     .log_sums = log_sums.data(),
                     .dqueries = {dqueries.data(), false},
                     .dkeys = {dkeys_values.data(), true},
                     .dvalues = {values_of(dkeys_values), true},
                     .workspace = space.data(),
                     .layout = layout,
                     .dropout = dropout});
  }

  std::vector<Tensor> results() const { return {y, log_sums, dqueries, dkeys_values}; }

  std::vector<std::int64_t> query_offsets, offsets, row_keys;
  std::vector<std::int32_t> order;
  Tensor queries, keys_values, dy, y, log_sums, dqueries, dkeys_values;
  AttentionLayout layout;
  AttentionDropout dropout = {};
};

std::vector<AttentionPasses> ways(DType dtype) {
  std::vector<AttentionPasses> all{portable_attention()};
  if (const AttentionPasses* avx512 = avx512_attention(dtype)) all.push_back(*avx512);
  return all;
}

void expect_near(const Attention& got, const Attention& expected, double tolerance) {
  const auto a = got.results(), b = expected.results();
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_LT(relative_error(a[i].cast(DType::kF64), b[i]), tolerance) << "result " << i;
}

TEST(AttentionPasses, AgreeWithF64) {
  for (const std::int64_t head_size : {7, 8, 24, 32, 64, 128, 200})
    for (const bool dropout : {false, true}) {
      const Problem p{{31, 128, 7, 0, 1}, {300, 129, 128, 31, 1}, 2, head_size, dropout};
      Attention expected(p, DType::kF64);
      expected.run(portable_attention());
      for (const DType dtype : {DType::kF32, DType::kBf16})
        for (const AttentionPasses& passes : ways(dtype)) {
          SCOPED_TRACE(std::string(name_of(dtype)) + ", heads of " + std::to_string(head_size));
          Attention got(p, dtype);
          got.run(passes);
          expect_near(got, expected, dtype == DType::kF32 ? 1e-5 : 1e-2);
        }
    }
}

// Parts are cut where there are more workers than heads.
TEST(AttentionPasses, CutsDoNotChangeABit) {
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF64})
    for (const AttentionPasses& passes : ways(dtype)) {
      Problem p{{700, 300, 5}, {700, 400, 5}, 1, 16, true};
      Attention whole(p, dtype);
      whole.run(passes);
      for (const int workers : {2, 3, 16}) {
        p.workers = workers;
        Attention cut(p, dtype);
        cut.run(passes);
        const auto a = whole.results(), b = cut.results();
        for (std::size_t i = 0; i < a.size(); ++i)
          EXPECT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].bytes()), 0)
              << name_of(dtype) << ", result " << i << ", " << workers << " workers";
      }
    }
}

// Every query and every key of every head is somebody's, once.
TEST(AttentionPasses, PartsCoverTheWork) {
  for (const int workers : {1, 2, 5, 64})
    for (const bool backward : {false, true}) {
      Attention a({{700, 300, 5, 0}, {1000, 400, 5, 3}, 3, 16, false, workers}, DType::kF32);
      const PartList parts(a.layout, 128, backward);
      EXPECT_LE(parts.workers(), workers);
      std::vector<int> queries(static_cast<std::size_t>(3 * a.query_offsets.back()));
      std::vector<int> keys(static_cast<std::size_t>(3 * a.offsets.back()));
      for (std::int64_t i = 0; i < parts.size(); ++i) {
        const Part part = parts[i];
        for (std::int64_t q = part.queries.begin; part.wants_queries && q < part.queries.end; ++q)
          ++queries[static_cast<std::size_t>(3 * (part.item.first_query + q) + part.item.head)];
        for (std::int64_t k = part.keys.begin; part.wants_keys && k < part.keys.end; ++k)
          ++keys[static_cast<std::size_t>(3 * (part.item.first_row + k) + part.item.head)];
      }
      EXPECT_EQ(std::count(queries.begin(), queries.end(), 1), std::ssize(queries));
      if (backward) {
        EXPECT_EQ(std::count(keys.begin(), keys.end(), 1), std::ssize(keys));
        EXPECT_EQ(parts.size() > 12, workers >= 5);
      }
    }
}

}  // namespace
}  // namespace lodestone::kernels
