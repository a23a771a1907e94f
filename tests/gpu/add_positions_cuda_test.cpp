// The CUDA sum with positions against the CPU's: the same additions in the same order, but for the
// token type's gradient.
#include <gtest/gtest.h>

#include "kernels/add_positions.h"
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
  std::int64_t types, position_rows, columns;
  std::int64_t cells() const { return std::ssize(offsets) - 1; }
  std::int64_t rows() const { return offsets.back(); }
};

// Alone, empty cells at the start, within and at the end, no rows, no cells, a long cell beside
// short ones, more cells than are loaded at once, the model's columns.
const std::vector<Case> kCases = {{{0, 1}, 1, 1, 1},
                                  {{0, 0, 5, 5, 12, 12}, 2, 9, 7},
                                  {{0, 0}, 2, 3, 8},
                                  {{0}, 2, 3, 8},
                                  {{0, 2049, 2050, 2053}, 2, 2049, 8},
                                  {{0, 3, 10, 11, 17, 30, 31, 31, 40, 45}, 3, 20, 264},
                                  {{0, 17, 50}, 2, 40, 768}};

template <class T>
class AddPositionsCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(AddPositionsCuda, Types);

TYPED_TEST(AddPositionsCuda, ForwardIsTheCpus) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const auto x = random_elements<T>(c.rows() * c.columns, 1);
    const auto token_type = random_elements<T>(c.types * c.columns, 2);
    const auto positions = random_elements<T>(c.position_rows * c.columns, 3);
    std::vector<T> expected(x.size());
    run(kernels::AddPositionsForwardArgs{x.data(), token_type.data(), positions.data(),
                                         c.offsets.data(), expected.data(), c.cells(), c.rows(),
                                         c.columns, kDTypeOf<T>},
        cpu_stream());
    CudaStream stream(0);
    DeviceArray<T> x_there(x), type_there(token_type), positions_there(positions),
        y(std::ssize(x), T(NAN));
    DeviceArray<std::int64_t> offsets(c.offsets);
    run(kernels::AddPositionsForwardArgs{x_there.data(), type_there.data(), positions_there.data(),
                                         offsets.data(), y.data(), c.cells(), c.rows(), c.columns,
                                         kDTypeOf<T>},
        stream);
    EXPECT_TRUE(same_bits(y.host(), expected)) << c.rows() << " rows of " << c.columns;
  }
}

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dtoken_type, dpositions;
};

struct Wanted {
  bool dx = true, dtoken_type = true, dpositions = true;
};

// What is there before: NaN where it must not be read, ones where it is added to.
template <class T>
Backward<T> backward_on_cuda(const Case& c, const std::vector<T>& dy, bool accumulate,
                             Wanted wanted = {}) {
  CudaStream stream(0);
  const float before = accumulate ? 1 : NAN;
  DeviceArray<T> dy_there(dy), dx(std::ssize(dy), T(before));
  DeviceArray<float> dtoken_type(c.types * c.columns, before),
      dpositions(c.position_rows * c.columns, before),
      workspace(kernels::add_positions_backward_workspace(c.position_rows, c.columns, stream) / 4,
                NAN);
  DeviceArray<std::int64_t> offsets(c.offsets);
  run(
      kernels::AddPositionsBackwardArgs{
          .dy = dy_there.data(),
          .offsets = offsets.data(),
          .dx = {wanted.dx ? dx.data() : nullptr, accumulate},
          .dtoken_type = {wanted.dtoken_type ? dtoken_type.data() : nullptr, accumulate},
          .dpositions = {wanted.dpositions ? dpositions.data() : nullptr, accumulate},
          .workspace = workspace.data(),
          .cells = c.cells(),
          .rows = c.rows(),
          .columns = c.columns,
          .types = c.types,
          .position_rows = c.position_rows,
          .dtype = kDTypeOf<T>},
      stream);
  return {dx.host(), dtoken_type.host(), dpositions.host()};
}

template <class T>
Backward<T> backward_on_cpu(const Case& c, const std::vector<T>& dy, bool accumulate) {
  Backward<T> result{std::vector<T>(dy.size(), T(1)),
                     std::vector<float>(static_cast<std::size_t>(c.types * c.columns), 1),
                     std::vector<float>(static_cast<std::size_t>(c.position_rows * c.columns), 1)};
  run(kernels::AddPositionsBackwardArgs{.dy = dy.data(),
                                        .offsets = c.offsets.data(),
                                        .dx = {result.dx.data(), accumulate},
                                        .dtoken_type = {result.dtoken_type.data(), accumulate},
                                        .dpositions = {result.dpositions.data(), accumulate},
                                        .cells = c.cells(),
                                        .rows = c.rows(),
                                        .columns = c.columns,
                                        .types = c.types,
                                        .position_rows = c.position_rows,
                                        .dtype = kDTypeOf<T>},
      cpu_stream());
  return result;
}

TYPED_TEST(AddPositionsCuda, BackwardIsTheCpusAndTheSameTwice) {
  for (const Case& c : kCases) {
    const auto dy = random_elements<TypeParam>(c.rows() * c.columns, 4);
    for (const bool accumulate : {false, true}) {
      const auto expected = backward_on_cpu(c, dy, accumulate);
      const auto got = backward_on_cuda(c, dy, accumulate);
      const auto again = backward_on_cuda(c, dy, accumulate);
      EXPECT_TRUE(same_bits(got.dx, expected.dx)) << c.rows() << " rows of " << c.columns;
      EXPECT_LE(relative_error(got.dpositions, expected.dpositions), 1e-6)
          << c.rows() << " rows of " << c.columns;
      EXPECT_LE(relative_error(got.dtoken_type, expected.dtoken_type), 2e-6)
          << c.rows() << " rows of " << c.columns;
      EXPECT_TRUE(same_bits(got.dpositions, again.dpositions));
      EXPECT_TRUE(same_bits(got.dtoken_type, again.dtoken_type));
    }
  }
}

TYPED_TEST(AddPositionsCuda, OneGradientAlone) {
  const Case c{{0, 5, 30, 33}, 2, 25, 72};
  const auto dy = random_elements<TypeParam>(c.rows() * c.columns, 4);
  const auto all = backward_on_cuda(c, dy, true);
  EXPECT_TRUE(same_bits(backward_on_cuda(c, dy, true, {true, false, false}).dx, all.dx));
  EXPECT_EQ(backward_on_cuda(c, dy, true, {false, true, false}).dtoken_type, all.dtoken_type);
  EXPECT_EQ(backward_on_cuda(c, dy, true, {false, false, true}).dpositions, all.dpositions);
}

}  // namespace
}  // namespace lodestone
