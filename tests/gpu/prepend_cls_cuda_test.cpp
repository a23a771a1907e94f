// The CUDA kernels that put a row before every cell, against the CPU's.
#include <gtest/gtest.h>

#include "kernels/prepend_cls.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray;
using testing::random_elements;
using testing::relative_error;
using testing::same_bits;

struct Case {
  std::vector<std::int64_t> offsets;
  std::int64_t kinds, columns;
  std::int64_t cells() const { return std::ssize(offsets) - 1; }
  std::int64_t rows() const { return offsets.back(); }
  std::vector<std::int32_t> species() const {
    std::vector<std::int32_t> result;
    for (std::int64_t cell = 0; cell < cells(); ++cell)
      result.push_back(static_cast<std::int32_t>(cell * cell % kinds));
    return result;
  }
};

// Alone, empty cells at the start, within and at the end, no rows, no cells, a long cell, more
// cells than a block has warps, the model's columns. With four kinds, two have no cell.
const std::vector<Case> kCases = {
    {{0, 1}, 1, 1},          {{0, 0, 5, 5, 12, 12}, 2, 7},
    {{0, 0}, 2, 8},          {{0}, 2, 8},
    {{0, 2049, 2050}, 2, 8}, {{0, 3, 10, 11, 17, 30, 31, 31, 40, 45, 46}, 4, 264},
    {{0, 17, 50}, 2, 768}};

template <class T>
class PrependClsCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(PrependClsCuda, Types);

TYPED_TEST(PrependClsCuda, ForwardIsTheCpus) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const auto species = c.species();
    const auto x = random_elements<T>(c.rows() * c.columns, 1);
    const auto cls = random_elements<T>(c.kinds * c.columns, 2);
    std::vector<T> expected(static_cast<std::size_t>((c.rows() + c.cells()) * c.columns));
    run(kernels::PrependClsForwardArgs{x.data(), cls.data(), species.data(), c.offsets.data(),
                                       expected.data(), c.cells(), c.rows(), c.columns,
                                       kDTypeOf<T>},
        cpu_stream());
    CudaStream stream(0);
    DeviceArray<T> x_there(x), cls_there(cls), y(std::ssize(expected), T(NAN));
    DeviceArray<std::int32_t> species_there(species);
    DeviceArray<std::int64_t> offsets(c.offsets);
    run(kernels::PrependClsForwardArgs{x_there.data(), cls_there.data(), species_there.data(),
                                       offsets.data(), y.data(), c.cells(), c.rows(), c.columns,
                                       kDTypeOf<T>},
        stream);
    EXPECT_TRUE(same_bits(y.host(), expected)) << c.rows() << " rows of " << c.columns;
  }
}

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dcls;
};

// What is there before: NaN where it must not be read, ones where it is added to.
template <class T>
Backward<T> backward_on_cuda(const Case& c, const std::vector<T>& dy, bool accumulate,
                             bool want_dx = true, bool want_dcls = true) {
  CudaStream stream(0);
  const float before = accumulate ? 1 : NAN;
  DeviceArray<T> dy_there(dy), dx(c.rows() * c.columns, T(before));
  DeviceArray<float> dcls(c.kinds * c.columns, before);
  DeviceArray<std::int32_t> species(c.species());
  DeviceArray<std::int64_t> offsets(c.offsets);
  run(kernels::PrependClsBackwardArgs{dy_there.data(),
                                      species.data(),
                                      offsets.data(),
                                      {want_dx ? dx.data() : nullptr, accumulate},
                                      {want_dcls ? dcls.data() : nullptr, accumulate},
                                      c.cells(),
                                      c.rows(),
                                      c.columns,
                                      c.kinds,
                                      kDTypeOf<T>},
      stream);
  return {dx.host(), dcls.host()};
}

template <class T>
Backward<T> backward_on_cpu(const Case& c, const std::vector<T>& dy, bool accumulate) {
  const auto species = c.species();
  Backward<T> result{std::vector<T>(static_cast<std::size_t>(c.rows() * c.columns), T(1)),
                     std::vector<float>(static_cast<std::size_t>(c.kinds * c.columns), 1)};
  run(kernels::PrependClsBackwardArgs{dy.data(),
                                      species.data(),
                                      c.offsets.data(),
                                      {result.dx.data(), accumulate},
                                      {result.dcls.data(), accumulate},
                                      c.cells(),
                                      c.rows(),
                                      c.columns,
                                      c.kinds,
                                      kDTypeOf<T>},
      cpu_stream());
  return result;
}

TYPED_TEST(PrependClsCuda, BackwardIsTheCpusAndTheSameTwice) {
  for (const Case& c : kCases) {
    const auto dy = random_elements<TypeParam>((c.rows() + c.cells()) * c.columns, 4);
    for (const bool accumulate : {false, true}) {
      const auto expected = backward_on_cpu(c, dy, accumulate);
      const auto got = backward_on_cuda(c, dy, accumulate);
      EXPECT_TRUE(same_bits(got.dx, expected.dx)) << c.rows() << " rows of " << c.columns;
      EXPECT_LE(relative_error(got.dcls, expected.dcls), 1e-6)
          << c.rows() << " rows of " << c.columns;
      EXPECT_TRUE(same_bits(backward_on_cuda(c, dy, accumulate).dcls, got.dcls));
    }
  }
}

TYPED_TEST(PrependClsCuda, OneGradientAlone) {
  const Case c{{0, 5, 30, 33}, 2, 72};
  const auto dy = random_elements<TypeParam>((c.rows() + c.cells()) * c.columns, 4);
  const auto both = backward_on_cuda(c, dy, true);
  EXPECT_TRUE(same_bits(backward_on_cuda(c, dy, true, true, false).dx, both.dx));
  EXPECT_EQ(backward_on_cuda(c, dy, true, false, true).dcls, both.dcls);
}

}  // namespace
}  // namespace lodestone
