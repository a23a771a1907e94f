// Sums over rows fold the warps of a block without conflicts of shared-memory banks.
#include <gtest/gtest.h>

#include "kernels/add_positions.h"
#include "kernels/prepend_cls.h"
#include "kernels/table_embedding.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"
#include "tests/gpu/emulator/metrics.h"

namespace lodestone {
namespace {

using testing::DeviceArray;
using testing::random_elements;

constexpr std::int64_t kTokens = 1024, kColumns = 512;

class ColumnSums : public ::testing::Test {
 protected:
  ColumnSums() { ptx::kernel_metrics().clear(); }

  // Of all launches whose kernel's name has `part` in it.
  static ptx::Metrics of(const std::string& part) {
    ptx::Metrics sum;
    for (const auto& [name, metrics] : ptx::kernel_metrics())
      if (name.find(part) != std::string::npos) sum += metrics;
    return sum;
  }
  static void expect_no_conflicts(const std::string& kernel) {
    EXPECT_GT(of(kernel).shared_requests, 0U) << kernel;
    EXPECT_EQ(of(kernel).shared_conflicts, 0U) << kernel;
  }
};

TEST_F(ColumnSums, TableEmbedding) {
  CudaStream stream(0);
  std::vector<std::int32_t> order(kTokens);
  for (std::int64_t n = 0; n < kTokens; ++n)
    order[static_cast<std::size_t>(n)] = static_cast<std::int32_t>(n);
  DeviceArray<BFloat16> dy(random_elements<BFloat16>(kTokens * kColumns, 1));
  DeviceArray<float> values(kTokens, 1), dtable(kColumns, 0), dvalue_weight(kColumns, 0),
      workspace(kernels::table_embedding_backward_workspace(kTokens, kColumns, stream) / 4, 0);
  DeviceArray<std::int32_t> rows(kTokens, 0), order_there(order);
  DeviceArray<std::int64_t> offsets(std::vector<std::int64_t>{0, kTokens});
  run(kernels::TableEmbeddingBackwardArgs{.dy = dy.data(),
                                          .values = values.data(),
                                          .row_of_token = rows.data(),
                                          .token_order = order_there.data(),
                                          .group_offsets = offsets.data(),
                                          .dtable = {dtable.data(), true},
                                          .dvalue_weight = {dvalue_weight.data(), true},
                                          .workspace = workspace.data(),
                                          .tokens = kTokens,
                                          .columns = kColumns,
                                          .table_rows = 1,
                                          .dtype = DType::kBf16},
      stream);
  (void)dtable.host();
  expect_no_conflicts("table_embedding_backward");
  expect_no_conflicts("add_crossing_groups");
  expect_no_conflicts("column_totals");
}

TEST_F(ColumnSums, AddPositions) {
  CudaStream stream(0);
  DeviceArray<float> dy(kTokens * kColumns, 1), dx(kTokens * kColumns, 0), dtoken_type(kColumns, 0),
      dpositions(kTokens / 2 * kColumns, 0),
      workspace(kernels::add_positions_backward_workspace(kTokens / 2, kColumns, stream) / 4, 0);
  DeviceArray<std::int64_t> offsets(std::vector<std::int64_t>{0, kTokens / 2, kTokens});
  run(kernels::AddPositionsBackwardArgs{.dy = dy.data(),
                                        .offsets = offsets.data(),
                                        .dx = {dx.data(), false},
                                        .dtoken_type = {dtoken_type.data(), false},
                                        .dpositions = {dpositions.data(), false},
                                        .workspace = workspace.data(),
                                        .cells = 2,
                                        .rows = kTokens,
                                        .columns = kColumns,
                                        .types = 1,
                                        .position_rows = kTokens / 2,
                                        .dtype = DType::kF32},
      stream);
  (void)dx.host();
  expect_no_conflicts("add_positions_backward");
}

TEST_F(ColumnSums, PrependCls) {
  CudaStream stream(0);
  DeviceArray<BFloat16> dy(random_elements<BFloat16>((kTokens + 2) * kColumns, 1));
  DeviceArray<float> dcls(kColumns, 0);
  DeviceArray<std::int32_t> species(2, 0);
  DeviceArray<std::int64_t> offsets(std::vector<std::int64_t>{0, kTokens / 2, kTokens});
  run(kernels::PrependClsBackwardArgs{dy.data(),
                                      species.data(),
                                      offsets.data(),
                                      {},
                                      {dcls.data(), true},
                                      2,
                                      kTokens,
                                      kColumns,
                                      1,
                                      DType::kBf16},
      stream);
  (void)dcls.host();
  expect_no_conflicts("prepend_cls_backward_cls");
}

}  // namespace
}  // namespace lodestone
