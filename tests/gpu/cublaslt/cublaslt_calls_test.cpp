// What matrix_product_cublaslt.cpp asks of cuBLASLt, told by a stand-in for it. The products of
// matrix_product_cuda_test.cpp and the layers of linear_cuda_test.cpp are part of this program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/matrix_product.h"
#include "tests/gpu/cublaslt/stand_in.h"
#include "tests/gpu/device_array.h"

namespace lodestone {
namespace {

using kernels::matrix_product;
using kernels::MatrixProductOptions;
using kernels::prepare_matrix_products;
using testing::DeviceArray;
using ::testing::ElementsAre;
using testing::stand_in;

class CublasLtCalls : public ::testing::Test {
 public:
  CublasLtCalls() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lodestone-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    stand_in() = {};
  }
  ~CublasLtCalls() override {
    std::filesystem::remove_all(folder_);
    stand_in() = {};
    prepare({});
  }

 protected:
  static void prepare(const MatrixProductOptions& options) {
    prepare_matrix_products(Device::cuda(), options);
  }
  void multiply(std::int64_t rows, bool accumulate = false) {
    matrix_product({.a = a_.data(),
                    .b = b_.data(),
                    .c = c_.data(),
                    .m = rows,
                    .n = 4,
                    .k = 5,
                    .accumulate = accumulate},
                   stream_);
  }
  std::uint64_t last_algorithm() const { return stand_in().algorithms.back(); }
  std::uint64_t preference(cublasLtMatmulPreferenceAttributes_t attribute) const {
    return stand_in().preferences.at(attribute);
  }

  std::filesystem::path folder_;
  CudaStream stream_{0};
  DeviceArray<float> a_{std::int64_t{100} * 5, 1.0f}, b_{20, 1.0f}, c_{std::int64_t{100} * 4, 0.0f};
};

TEST_F(CublasLtCalls, TheFastestOfAKindIsTakenFromThenOn) {
  stand_in().milliseconds = 5;
  prepare({});
  multiply(33);
  EXPECT_EQ(last_algorithm(), 1u);
  EXPECT_EQ(stand_in().algorithms.size(), 3u * 6 + 1);  // a run and five timed ones of each
  multiply(33);
  multiply(36);  // of the same kind: up to 36 rows
  EXPECT_EQ(stand_in().guesses, 1);
  EXPECT_EQ(stand_in().algorithms.size(), 3u * 6 + 3);
  multiply(37);
  EXPECT_EQ(stand_in().guesses, 2);
}

TEST_F(CublasLtCalls, WhatIsAddedToIsAddedToOnce) {
  prepare({});
  multiply(2);
  multiply(2, true);
  EXPECT_EQ(c_.host()[0], 10.0f);
}

TEST_F(CublasLtCalls, ChoicesOfAnEarlierRunAreTaken) {
  stand_in().milliseconds = 5;
  prepare({.folder = folder_});
  multiply(33);
  const auto files = std::filesystem::directory_iterator(folder_);
  EXPECT_EQ(files->path().filename(),
            "products-lodestone-PTX-interpreter-with-cuBLASLt-130000.txt");
  stand_in() = {};
  prepare({.folder = folder_});
  multiply(33);
  EXPECT_EQ(stand_in().guesses, 0);
  EXPECT_THAT(stand_in().algorithms, ElementsAre(1u));
}

TEST_F(CublasLtCalls, WithoutTimingTheFirstGuessIsTaken) {
  prepare({.timed = false, .folder = folder_});
  multiply(33);
  multiply(33);
  EXPECT_THAT(stand_in().algorithms, ElementsAre(0u, 0u));
  EXPECT_EQ(stand_in().guesses, 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));  // guesses are not worth keeping
}

TEST_F(CublasLtCalls, Tf32IsAnOption) {
  prepare({});
  multiply(1);
  EXPECT_EQ(stand_in().last_compute_type, CUBLAS_COMPUTE_32F);
  prepare({.tf32 = true});
  multiply(1);
  EXPECT_EQ(stand_in().last_compute_type, CUBLAS_COMPUTE_32F_FAST_TF32);
}

TEST_F(CublasLtCalls, AsksForWhatIsDeterministicAndFitsTheMemory) {
  prepare({});
  multiply(1);
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK),
            std::uint64_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES), std::uint64_t{32} << 20);
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES), 128u);
  // Of a row-major product, b is cuBLASLt's first factor.
  matrix_product({.a = a_.data(), .b = b_.data() + 1, .c = c_.data() + 2, .m = 1, .n = 1, .k = 1},
                 stream_);
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES), 4u);
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES), 128u);
  EXPECT_EQ(preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES), 8u);
}

TEST_F(CublasLtCalls, ErrorsSayWhatFailed) {
  const auto text_of = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      return error.what();
    }
    return "no error";
  };
  prepare({});
  stand_in().knows_no_algorithm = true;
  EXPECT_EQ(text_of([&] { multiply(3); }),
            "lodestone PTX interpreter with cuBLASLt 130000 has no algorithm for the product "
            "f32-f32:nn:3x4x5:5,4,4:128,128,128: (not supported)");
  stand_in() = {.fails = true};
  EXPECT_EQ(text_of([&] { multiply(3); }), "cuBLASLt could not multiply: invalid value");
}

}  // namespace
}  // namespace lodestone
