#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

OpCase positions_case(const std::string& name, const std::vector<std::int64_t>& offsets,
                      std::int64_t columns, std::int64_t types, std::int64_t positions) {
  const Tensor bounds = Tensor::from(offsets);
  return {
      .name = name,
      .f = [bounds](
               const std::vector<Var>& in) { return add_positions(in[0], in[1], in[2], bounds); },
      .inputs = {random_f64({offsets.back(), columns}, 1), random_f64({types, columns}, 2),
                 random_f64({positions, columns}, 3)}};
}

TEST(AddPositions, PassesTheTable) {
  check_ops({positions_case("one", {0, 1}, 1, 1, 1),
             positions_case("odd cells, spare rows", {0, 3, 3, 4, 9}, 5, 2, 7),
             positions_case("no cells", {0}, 3, 1, 2),
             positions_case("2049 rows", {0, 2000, 2049}, 17, 2, 2000),
             positions_case("2049 columns", {0, 2, 5}, 2049, 2, 3)});
}

TEST(AddPositions, CountsFromTheStartOfEachCell) {
  const Var x(Tensor::from(std::vector<float>{1, 2, 3}).view({3, 1}));
  const Var type(Tensor::from(std::vector<float>{1000, 5000}).view({2, 1}));
  const Var positions(Tensor::from(std::vector<float>{10, 20}).view({2, 1}));
  const Tensor y =
      add_positions(x, type, positions, Tensor::from(std::vector<std::int64_t>{0, 2, 3})).value();
  EXPECT_EQ(std::vector<float>(y.host<float>().begin(), y.host<float>().end()),
            (std::vector<float>{1011, 1022, 1013}));
}

TEST(AddPositions, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const auto call = [](const Shape& x, const Shape& type, const Shape& positions,
                       const std::vector<std::int64_t>& offsets) {
    return [=] {
      add_positions(Var(random_f64(x, 1)), Var(random_f64(type, 2)), Var(random_f64(positions, 3)),
                    Tensor::from(offsets));
    };
  };
  expect_throws(kind, call({4, 3}, {2, 2}, {4, 3}, {0, 4}), "token_type must be f64 [2, 3]");
  expect_throws(kind, call({4, 3}, {0, 3}, {4, 3}, {0, 4}), "token_type has no row");
  expect_throws(kind, call({4, 3}, {2, 3}, {4, 2}, {0, 4}), "positions must be f64 [4, 3]");
  expect_throws(kind, call({4, 3}, {2, 3}, {3, 3}, {0, 4}),
                "a cell has 4 rows but there are 3 positions");
  expect_throws(kind, call({4, 3}, {2, 3}, {4, 3}, {0, 3}), "they go from 0 to 3");
  expect_throws(kind, call({4, 3}, {2, 3}, {4, 3}, {1, 4}), "they go from 1 to 4");
  expect_throws(kind, call({4, 3}, {2, 3}, {4, 3}, {0, 3, 2, 4}), "cell 1 has offsets 3 and 2");
  expect_throws(kind, call({12}, {2, 3}, {4, 3}, {0, 4}), "x must be a matrix");
}

}  // namespace
}  // namespace lodestone
