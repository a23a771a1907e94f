// What the instrument says of the linear layer: shared memory without conflicts, and a product that
// leaves its memory.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cuda/matrix_product.h"
#include "kernels/linear.h"
#include "kernels/row_blocks.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/emulator/metrics.h"
#include "tests/gpu/expect_finding.h"

namespace lodestone {
namespace {

using testing::DeviceArray;

TEST(LinearFindings, SharedMemoryWithoutConflicts) {
  constexpr std::int64_t kRows = 70, kIn = 8, kOut = 520;
  ptx::kernel_metrics().clear();
  CudaStream stream(0);
  DeviceArray<BFloat16> dy(kRows * kOut, BFloat16(1.0f)), pre(dy.host()), dpre(dy.host());
  DeviceArray<float> dbias(kOut, NAN), parts(kernels::row_blocks(kRows) * kOut, NAN);
  run(kernels::LinearBackwardArgs{.dy = dy.data(),
                                  .x = nullptr,
                                  .weight = nullptr,
                                  .pre_activation = pre.data(),
                                  .dpre_activation = dpre.data(),
                                  .dx = {},
                                  .dweight = {},
                                  .dbias = {dbias.data(), false},
                                  .parts = parts.data(),
                                  .rows = kRows,
                                  .in = kIn,
                                  .out = kOut,
                                  .activation = Activation::kGelu,
                                  .dtype = DType::kBf16},
      stream);
  EXPECT_FALSE(std::isnan(dbias.host().back()));
  EXPECT_EQ(ptx::kernel_metrics().size(), 2u);
  for (const auto& [kernel, metrics] : ptx::kernel_metrics()) {
    EXPECT_GT(metrics.shared_requests, 0u) << kernel;
    EXPECT_EQ(metrics.shared_conflicts, 0u) << kernel;
  }
}

TEST(LinearFindings, ProductThatLeavesItsMemory) {
  CudaStream stream(0);
  DeviceArray<float> a(3 * 5, 1.0f), b(5 * 4, 1.0f), c(3 * 4, NAN), bias(3, 1.0f);
  const auto product = [&](kernels::MatrixProductArgs args) {
    return [&stream, args] {
      matrix_product(args, stream);
      return cudaPeekAtLastError();
    };
  };
  const kernels::MatrixProductArgs whole{
      .a = a.data(), .b = b.data(), .c = c.data(), .m = 3, .n = 4, .k = 5};
  testing::expect_no_finding(product(whole));
  const auto finds = [&](kernels::MatrixProductArgs args, const std::string& text) {
    testing::expect_finding(ptx::FindingKind::kOutOfBounds, text, product(args));
  };
  auto changed = whole;
  changed.a_stride = 6;
  finds(changed, "a of a matrix product, 3 x 5 of f32 with stride 6");
  changed = whole;
  changed.k = 6;
  finds(changed, "a of a matrix product, 3 x 6");
  changed = whole;
  changed.c = c.data() + 1;
  finds(changed, "c of a matrix product");
  changed = whole;
  changed.bias = bias.data();
  finds(changed, "bias of a matrix product, 1 x 4");
}

}  // namespace
}  // namespace lodestone
