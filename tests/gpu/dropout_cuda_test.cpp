#include <gtest/gtest.h>

#include "kernels/dropout.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/dropout_masks.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::MaskCase;

struct Size {
  std::int64_t rows, cols;
};

// One element, odd numbers of columns, the model's, more than a warp's columns, many rows, none.
const std::vector<Size> kSizes = {{1, 1},    {3, 5},    {2, 127}, {5, 24},
                                  {3, 2049}, {65, 768}, {515, 8}, {0, 768}};

template <class T>
class DropoutCuda : public ::testing::Test {
 protected:
  static std::vector<T> on_cpu(Size size, const MaskCase& mask, bool accumulate) {
    const auto from = testing::random_elements<T>(size.rows * size.cols, 1);
    std::vector<T> to(from.size(), T(1.0f));
    run(
        kernels::DropoutArgs{
            from.data(), {to.data(), accumulate}, size.rows, size.cols, mask.here(), kDTypeOf<T>},
        cpu_stream());
    return to;
  }
  static std::vector<T> on_cuda(Size size, MaskCase& mask, bool accumulate) {
    DeviceArray<T> from(testing::random_elements<T>(size.rows * size.cols, 1));
    DeviceArray<T> to(size.rows * size.cols, T(accumulate ? 1.0f : NAN));
    CudaStream stream(0);
    run(
        kernels::DropoutArgs{
            from.data(), {to.data(), accumulate}, size.rows, size.cols, mask.there(), kDTypeOf<T>},
        stream);
    return to.host();
  }
};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(DropoutCuda, Types);

// The same numbers; a zero may have either sign.
TYPED_TEST(DropoutCuda, KeepsWhatTheCpuKeeps) {
  for (const Size size : kSizes)
    for (const float probability : {0.0f, 0.02f, 0.5f}) {
      MaskCase mask(size.rows, probability);
      EXPECT_EQ(this->on_cuda(size, mask, false), this->on_cpu(size, mask, false))
          << size.rows << " x " << size.cols << ", dropped with " << probability;
    }
}

TYPED_TEST(DropoutCuda, AddsToWhatIsThere) {
  for (const Size size : kSizes) {
    MaskCase mask(size.rows, 0.3f);
    EXPECT_LE(
        testing::relative_error(this->on_cuda(size, mask, true), this->on_cpu(size, mask, true)),
        testing::kRounding<TypeParam>)
        << size.rows << " x " << size.cols;
  }
}

}  // namespace
}  // namespace lodestone
