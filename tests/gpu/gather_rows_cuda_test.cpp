// The CUDA gather against the CPU's: copies and sums in one order, so the same bits.
#include <gtest/gtest.h>

#include "kernels/gather_rows.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray;
using testing::random_elements;
using testing::same_bits;

struct Case {
  std::vector<std::int32_t> rows;
  std::int64_t table_rows, columns;
  std::int64_t count() const { return std::ssize(rows); }
};

// `count` of the rows below `table_rows`, in the order of `row_of`.
template <class F>
Case chosen(std::int64_t count, std::int64_t table_rows, std::int64_t columns, const F& row_of) {
  Case c{{}, table_rows, columns};
  for (std::int64_t m = 0; m < count; ++m)
    c.rows.push_back(static_cast<std::int32_t>(row_of(m) % table_rows));
  return c;
}

// Alone, repeated, odd and even numbers of columns, none; ascending, in any order with repeats, one
// alone; tables of more rows than there are warps.
const std::vector<Case> kCases = {{{0}, 1, 1},
                                  {{4, 0, 4, 2, 4}, 5, 7},
                                  {{1, 1, 0}, 3, 768},
                                  {{2, 0}, 3, 20},
                                  {{}, 3, 8},
                                  chosen(400, 3000, 24, [](std::int64_t m) { return 7 * m; }),
                                  chosen(2049, 100, 12, [](std::int64_t m) { return m * m + 3; }),
                                  chosen(700, 2100, 33, [](std::int64_t m) { return m * m * m; }),
                                  chosen(2049, 9, 8, [](std::int64_t) { return 3; })};

template <class T>
class GatherRowsCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(GatherRowsCuda, Types);

TYPED_TEST(GatherRowsCuda, ForwardIsTheCpus) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const auto table = random_elements<T>(c.table_rows * c.columns, 1);
    std::vector<T> expected(static_cast<std::size_t>(c.count() * c.columns));
    run(kernels::GatherRowsForwardArgs{table.data(), c.rows.data(), expected.data(), c.count(),
                                       c.columns, kDTypeOf<T>},
        cpu_stream());
    CudaStream stream(0);
    DeviceArray<T> table_there(table), y(c.count() * c.columns, T(NAN));
    DeviceArray<std::int32_t> rows(c.rows);
    run(kernels::GatherRowsForwardArgs{table_there.data(), rows.data(), y.data(), c.count(),
                                       c.columns, kDTypeOf<T>},
        stream);
    EXPECT_TRUE(same_bits(y.host(), expected)) << c.count() << " rows of " << c.columns;
  }
}

// The gradient's type G is T or float; row 4 has none.
template <class T, class G>
void check_backward(const Case& c, bool accumulate) {
  const auto dy = random_elements<T>(c.count() * c.columns, 2);
  const std::int64_t elements = c.table_rows * c.columns;
  std::vector<G> expected(static_cast<std::size_t>(elements), G(1.0f));
  run(kernels::GatherRowsBackwardArgs{dy.data(),
                                      c.rows.data(),
                                      {expected.data(), accumulate},
                                      c.count(),
                                      c.columns,
                                      c.table_rows,
                                      4,
                                      kDTypeOf<T>,
                                      kDTypeOf<G>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> dy_there(dy);
  DeviceArray<G> dtable(elements, accumulate ? G(1.0f) : G(NAN));
  DeviceArray<std::int32_t> rows(c.rows);
  run(kernels::GatherRowsBackwardArgs{dy_there.data(),
                                      rows.data(),
                                      {dtable.data(), accumulate},
                                      c.count(),
                                      c.columns,
                                      c.table_rows,
                                      4,
                                      kDTypeOf<T>,
                                      kDTypeOf<G>},
      stream);
  EXPECT_TRUE(same_bits(dtable.host(), expected)) << c.count() << " rows of " << c.columns;
}

TYPED_TEST(GatherRowsCuda, BackwardIsTheCpus) {
  for (const Case& c : kCases)
    for (const bool accumulate : {false, true}) {
      check_backward<TypeParam, TypeParam>(c, accumulate);
      check_backward<TypeParam, float>(c, accumulate);
    }
}

}  // namespace
}  // namespace lodestone
