// Kernels of tensor-core, copy and TMA instructions give what f64 gives.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/gpu/tensor_cases.h"

namespace lodestone::testing {
namespace {

using gpu_tests::CopyBug;
using gpu_tests::GenericBug;
using gpu_tests::TileBug;
using gpu_tests::WarpgroupBug;

TEST(TensorKernels, Attention) {
  for (const int length : {1, 17, 64, 65, 200}) {
    AttentionCase attention(2, length);
    ASSERT_EQ(attention.run(TileBug::kNone), cudaSuccess);
    EXPECT_LT(attention.error(), 0.02) << "length " << length;
  }
}

TEST(TensorKernels, TileProduct) {
  const int m = 100, n = 70, k = 192;
  const std::vector<std::uint16_t> a = normal_bf16(static_cast<std::size_t>(m * k), 6);
  const std::vector<std::uint16_t> b = normal_bf16(static_cast<std::size_t>(n * k), 7);
  DeviceArray<std::uint16_t> device_a(a), device_b(b);
  DeviceArray<float> c(m * n, NAN);
  ASSERT_EQ(
      gpu_tests::tile_product(
          {.a = device_a.data(), .b = device_b.data(), .c = c.data(), .m = m, .n = n, .k = k}),
      cudaSuccess);
  EXPECT_LT(largest_difference(c.host(), product_of(a, b, 100, 70, 192)), 1e-4);
}

TEST(TensorKernels, Tf32Product) {
  const std::vector<float> a = normal_floats(16 * 8, 8), b = normal_floats(8 * 8, 9);
  DeviceArray<float> device_a(a), device_b(b), d(16 * 8, NAN);
  ASSERT_EQ(gpu_tests::tf32_product(device_a.data(), device_b.data(), d.data()), cudaSuccess);
  std::vector<double> expected(16 * 8);
  for (std::size_t i = 0; i < 16; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      for (std::size_t k = 0; k < 8; ++k)
        expected[i * 8 + j] +=
            static_cast<double>(a[i * 8 + k]) * static_cast<double>(b[j * 8 + k]);
  EXPECT_LT(largest_difference(d.host(), expected), 2e-2);  // tf32 has 11 bits
}

TEST(TensorKernels, TransposesThroughMatrices) {
  std::vector<std::uint16_t> from(256);
  std::iota(from.begin(), from.end(), std::uint16_t{0});
  DeviceArray<std::uint16_t> device_from(from), to(256, std::uint16_t{0});
  ASSERT_EQ(gpu_tests::transpose_matrices(device_from.data(), to.data()), cudaSuccess);
  const std::vector<std::uint16_t> found = to.host();
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(found[i], from[i % 16 * 16 + i / 16]);
}

TEST(TensorKernels, WarpSpecialisedProduct) {
  WarpgroupProductCase product;
  ASSERT_EQ(product.run(WarpgroupBug::kNone), cudaSuccess);
  EXPECT_LT(product.error(), 1e-3);
}

TEST(TensorKernels, ProductOfMnMajorOperandsAndOfRegisters) {
  const std::vector<std::uint16_t> a = normal_bf16(64 * 16, 10), b = normal_bf16(16 * 32, 11);
  std::vector<std::uint16_t> b_turned(b.size());
  for (std::size_t i = 0; i < b.size(); ++i) b_turned[i % 32 * 16 + i / 32] = b[i];
  DeviceArray<std::uint16_t> device_a(a), device_b(b);
  for (const bool in_registers : {false, true}) {
    DeviceArray<float> c(64 * 32, NAN);
    ASSERT_EQ(gpu_tests::generic_product(GenericBug::kNone, in_registers, device_a.data(),
                                         device_b.data(), c.data()),
              cudaSuccess);
    EXPECT_LT(largest_difference(c.host(), product_of(a, b_turned, 64, 32, 16)), 1e-4)
        << "a in registers: " << in_registers;
  }
}

TEST(TensorKernels, ProductsThroughEverySwizzle) {
  const std::vector<std::uint16_t> a = normal_bf16(64 * 64, 18), b = normal_bf16(64 * 64, 19);
  std::vector<std::uint16_t> b_turned(b.size());
  for (std::size_t i = 0; i < b.size(); ++i) b_turned[i % 64 * 64 + i / 64] = b[i];
  DeviceArray<std::uint16_t> device_a(a), device_b(b);
  const auto map_of = [](DeviceArray<std::uint16_t>& matrix, int span, CUtensorMapSwizzle swizzle) {
    return tensor_map({.data = matrix.data(),
                       .sizes = {64, 64},
                       .strides = {128},
                       .box = {static_cast<cuuint32_t>(span / 2), 64}},
                      swizzle);
  };
  for (const auto& [span, swizzle] :
       {std::pair{128, CU_TENSOR_MAP_SWIZZLE_128B}, std::pair{64, CU_TENSOR_MAP_SWIZZLE_64B},
        std::pair{32, CU_TENSOR_MAP_SWIZZLE_32B}}) {
    DeviceArray<float> c(64 * 64, NAN);
    ASSERT_EQ(gpu_tests::swizzled_product(span, map_of(device_a, span, swizzle),
                                          map_of(device_b, span, swizzle), c.data()),
              cudaSuccess);
    EXPECT_LT(largest_difference(c.host(), product_of(a, b_turned, 64, 64, 64)), 1e-4)
        << "swizzle of " << span;
  }
}

TEST(TensorKernels, WarpgroupProductInTf32) {
  const std::vector<float> a = normal_floats(64 * 8, 12), b = normal_floats(16 * 8, 13);
  DeviceArray<float> device_a(a), device_b(b), c(64 * 16, NAN);
  ASSERT_EQ(gpu_tests::generic_product_tf32(device_a.data(), device_b.data(), c.data()),
            cudaSuccess);
  std::vector<double> expected(64 * 16);
  for (std::size_t i = 0; i < 64; ++i)
    for (std::size_t j = 0; j < 16; ++j)
      for (std::size_t k = 0; k < 8; ++k)
        expected[i * 16 + j] +=
            static_cast<double>(a[i * 8 + k]) * static_cast<double>(b[j * 8 + k]);
  EXPECT_LT(largest_difference(c.host(), expected), 2e-2);
}

TEST(TensorKernels, BulkCopies) {
  const std::vector<float> from = normal_floats(1024, 14);
  DeviceArray<float> device_from(from), to(1024, NAN);
  ASSERT_EQ(gpu_tests::bulk_doubling(CopyBug::kNone, device_from.data(), 1024, to.data()),
            cudaSuccess);
  const std::vector<float> found = to.host();
  for (std::size_t i = 0; i < from.size(); ++i) EXPECT_EQ(found[i], 2 * from[i]);
}

TEST(TensorKernels, BulkReductions) {
  const std::vector<float> from = normal_floats(512, 15);
  DeviceArray<float> device_from(from), to(256, 1.f);
  ASSERT_EQ(gpu_tests::bulk_addition(device_from.data(), 512, to.data()), cudaSuccess);
  const std::vector<float> found = to.host();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::size_t first = i / 128 * 256 + i % 128;
    EXPECT_NEAR(found[i], 1 + from[first] + from[first + 128], 1e-6);
  }
}

// A tensor of 40 x 12 floats in rows of 48, out of whose edge the box hangs.
TEST(TensorKernels, BoxesOfTensorsWithZerosAround) {
  const std::vector<float> from = normal_floats(48 * 12, 16);
  DeviceArray<float> device_from(from);
  const auto map_of = [](DeviceArray<float>& tensor, cuuint64_t width, cuuint64_t height,
                         cuuint64_t pitch) {
    return tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                       .data = tensor.data(),
                       .sizes = {width, height},
                       .strides = {pitch * 4},
                       .box = {32, 8}},
                      CU_TENSOR_MAP_SWIZZLE_128B);
  };
  for (const auto& [column, row] :
       {std::pair{0, 0}, std::pair{-5, -3}, std::pair{20, 7}, std::pair{60, 0}})
    for (const bool adds : {false, true}) {
      DeviceArray<float> to(32 * 8, 1.f);
      ASSERT_EQ(gpu_tests::tensor_box(map_of(device_from, 40, 12, 48), map_of(to, 32, 8, 32),
                                      column, row, adds),
                cudaSuccess);
      const std::vector<float> found = to.host();
      for (int i = 0; i < 32 * 8; ++i) {
        const int x = column + i % 32, y = row + i / 32;
        const bool inside = x >= 0 && x < 40 && y >= 0 && y < 12;
        const float expected = inside ? from[static_cast<std::size_t>(y * 48 + x)] : 0;
        EXPECT_EQ(found[static_cast<std::size_t>(i)], adds ? 1 + expected : expected)
            << x << ", " << y;
      }
    }
}

TEST(TensorKernels, ABoxOfRankThreeIsSwizzled) {
  std::vector<std::uint16_t> from(32 * 6 * 3);
  std::iota(from.begin(), from.end(), std::uint16_t{1});
  DeviceArray<std::uint16_t> device_from(from), to(16 * 4 * 2, std::uint16_t{0});
  const CUtensorMap map = tensor_map({.data = device_from.data(),
                                      .sizes = {32, 6, 3},
                                      .strides = {32 * 2, 32 * 6 * 2},
                                      .box = {16, 4, 2}},
                                     CU_TENSOR_MAP_SWIZZLE_32B);
  ASSERT_EQ(gpu_tests::tensor_box_3d(map, 8, 1, 1, to.data()), cudaSuccess);
  const std::vector<std::uint16_t> found = to.host();
  for (std::size_t plane = 0; plane < 2; ++plane)
    for (std::size_t row = 0; row < 4; ++row)
      for (std::size_t column = 0; column < 16; ++column) {
        // Rows of 32 bytes: four share a line of 128, and those of odd lines have their halves
        // exchanged.
        const std::size_t line = (plane * 4 + row) / 4;
        const std::size_t place = (plane * 4 + row) * 16 + (column ^ (line % 2 * 8));
        EXPECT_EQ(found[place], from[((plane + 1) * 6 + row + 1) * 32 + column + 8]);
      }
}

TEST(TensorKernels, CopiesArriveAtAnMbarrier) {
  const std::vector<float> from = normal_floats(512, 17);
  DeviceArray<float> device_from(from), to(512, NAN);
  ASSERT_EQ(gpu_tests::copies_to_mbarrier(true, device_from.data(), to.data()), cudaSuccess);
  EXPECT_EQ(to.host(), from);
}

}  // namespace
}  // namespace lodestone::testing
