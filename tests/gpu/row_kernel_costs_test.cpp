// What the kernels that go over rows cost, as the instrument counts it: each element is moved once,
// and shared memory has no bank conflicts.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cross_entropy.h"
#include "kernels/dropout_residual_layer_norm.h"
#include "kernels/row_blocks.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/dropout_masks.h"
#include "tests/gpu/emulator/metrics.h"

namespace lodestone {
namespace {

using testing::DeviceArray;

ptx::Metrics metrics_of(const std::string& kernel) {
  for (const auto& [name, metrics] : ptx::kernel_metrics())
    if (name.find(kernel) != std::string::npos) return metrics;
  ADD_FAILURE() << kernel << " was not launched";
  return {};
}

// 32-byte sectors of so many bf16 elements.
constexpr std::uint64_t sectors_of(std::int64_t elements) {
  return static_cast<std::uint64_t>(elements * 2 / 32);
}

struct LayerNormCase {
  static constexpr std::int64_t kRows = 70, kCols = 768;
  testing::MaskCase mask{kRows, 0.1f};
  DeviceArray<BFloat16> x{kRows * kCols, BFloat16(1.5f)}, residual{x.host()}, sum{x.host()},
      y{x.host()}, weight{kCols, BFloat16(1.0f)}, bias{weight.host()};
  DeviceArray<float> mean{kRows, 0.5f}, rstd{kRows, 2.0f}, dweight{kCols, NAN}, dbias{kCols, NAN},
      parts{kernels::row_blocks(kRows) * 2 * kCols, NAN};
  CudaStream stream{0};
};

TEST(RowKernelCosts, ForwardMovesEachElementOnce) {
  LayerNormCase c;
  ptx::kernel_metrics().clear();
  run(kernels::DropoutResidualLayerNormForwardArgs{c.x.data(), c.residual.data(), c.weight.data(),
                                                   c.bias.data(), c.sum.data(), c.y.data(),
                                                   c.mean.data(), c.rstd.data(), c.kRows, c.kCols,
                                                   1e-12f, c.mask.there(), DType::kBf16},
      c.stream);
  EXPECT_FALSE(std::isnan(c.mean.host().front()));
  // x, residual, sum and y; weight and bias, which stay in the cache, for every row; a row's key,
  // mean and rstd.
  EXPECT_EQ(metrics_of("dropout_residual_layer_norm_forward").global_sectors,
            sectors_of((4 + 2) * c.kRows * c.kCols) + 3 * c.kRows);
}

TEST(RowKernelCosts, BackwardHasNoBankConflicts) {
  LayerNormCase c;
  ptx::kernel_metrics().clear();
  run(kernels::DropoutResidualLayerNormBackwardArgs{c.y.data(),
                                                    c.sum.data(),
                                                    c.weight.data(),
                                                    c.mean.data(),
                                                    c.rstd.data(),
                                                    {c.x.data(), false},
                                                    {c.residual.data(), false},
                                                    {c.dweight.data(), false},
                                                    {c.dbias.data(), false},
                                                    c.parts.data(),
                                                    c.kRows,
                                                    c.kCols,
                                                    c.mask.there(),
                                                    DType::kBf16},
      c.stream);
  EXPECT_FALSE(std::isnan(c.dweight.host().front()));
  for (const auto& [kernel, metrics] : ptx::kernel_metrics()) {
    EXPECT_GT(metrics.shared_requests, 0u) << kernel;
    EXPECT_EQ(metrics.shared_conflicts, 0u) << kernel;
  }
}

TEST(RowKernelCosts, CrossEntropyReadsARowOnce) {
  constexpr std::int64_t kRows = 2, kColumns = 50'558;
  DeviceArray<BFloat16> logits(kRows * kColumns, BFloat16(0.5f));
  DeviceArray<std::int32_t> labels(kRows, 17);
  DeviceArray<float> maxima(kRows, NAN), log_sums(kRows, NAN), row_losses(kRows, NAN), loss(1, NAN),
      dloss(1, 1.0f);
  CudaStream stream(0);
  ptx::kernel_metrics().clear();
  run(kernels::CrossEntropyForwardArgs{logits.data(), labels.data(), maxima.data(), log_sums.data(),
                                       row_losses.data(), loss.data(), kRows, kColumns,
                                       DType::kBf16},
      stream);
  run(kernels::CrossEntropyBackwardArgs{dloss.data(),
                                        logits.data(),
                                        labels.data(),
                                        maxima.data(),
                                        log_sums.data(),
                                        {logits.data(), false},
                                        kRows,
                                        kColumns,
                                        DType::kBf16},
      stream);
  EXPECT_NEAR(loss.host().front(), kRows * std::log(kColumns), 1e-3);
  const ptx::Metrics forward = metrics_of("cross_entropy_forward");
  const ptx::Metrics backward = metrics_of("cross_entropy_backward");
  EXPECT_EQ(forward.shared_conflicts, 0u);
  // Rows begin in the middle of a sector, and an access of a warp may begin in one: a twentieth
  // more.
  const std::uint64_t once = sectors_of(kRows * kColumns);
  EXPECT_LE(forward.global_sectors, once + once / 20);
  EXPECT_LE(backward.global_sectors, 2 * (once + once / 20));
}

}  // namespace
}  // namespace lodestone
