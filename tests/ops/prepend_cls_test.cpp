#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

OpCase cls_case(const std::string& name, const std::vector<std::int64_t>& offsets,
                const std::vector<std::int32_t>& species, std::int64_t columns) {
  const Tensor bounds = Tensor::from(offsets), kinds = Tensor::from(species);
  return {.name = name,
          .f = [=](const std::vector<Var>& in) { return prepend_cls(in[0], in[1], kinds, bounds); },
          .inputs = {random_f64({offsets.back(), columns}, 1), random_f64({2, columns}, 2)}};
}

TEST(PrependCls, PassesTheTable) {
  check_ops({cls_case("one", {0, 1}, {0}, 1),
             cls_case("odd cells", {0, 3, 3, 4, 9}, {1, 0, 1, 1}, 5),
             cls_case("2049 rows", {0, 2000, 2049}, {1, 0}, 17),
             cls_case("2049 columns", {0, 2, 5}, {1, 1}, 2049)});
}

TEST(PrependCls, PutsTheRowOfTheSpeciesFirst) {
  const Var x(Tensor::from(std::vector<float>{1, 2, 3}).view({3, 1}));
  const Var cls(Tensor::from(std::vector<float>{10, 20}).view({2, 1}));
  const Tensor y = prepend_cls(x, cls, Tensor::from(std::vector<std::int32_t>{1, 0, 1}),
                               Tensor::from(std::vector<std::int64_t>{0, 2, 2, 3}))
                       .value();
  EXPECT_EQ(std::vector<float>(y.host<float>().begin(), y.host<float>().end()),
            (std::vector<float>{20, 1, 2, 10, 20, 3}));
}

TEST(PrependCls, RefusesWhatDoesNotFit) {
  const auto kind = ErrorKind::kInvalidArgument;
  const auto call = [](const Shape& x, const Shape& cls, const std::vector<std::int32_t>& species,
                       const std::vector<std::int64_t>& offsets) {
    return [=] {
      prepend_cls(Var(random_f64(x, 1)), Var(random_f64(cls, 2)), Tensor::from(species),
                  Tensor::from(offsets));
    };
  };
  expect_throws(kind, call({4, 3}, {2, 2}, {0}, {0, 4}), "cls must be f64 [2, 3], got f64 [2, 2]");
  expect_throws(kind, call({4, 3}, {2, 3}, {0, 2}, {0, 1, 4}), "species must lie in 0 .. 1");
  expect_throws(kind, call({4, 3}, {2, 3}, {-1}, {0, 4}), "one is -1");
  expect_throws(kind, call({4, 3}, {2, 3}, {0, 1}, {0, 4}), "species must be i32 [1]");
  expect_throws(kind, call({4, 3}, {2, 3}, {0}, {0, 5}), "they go from 0 to 5");
  expect_throws(kind, call({4, 3}, {2, 3}, {0, 1}, {0, 5, 4}), "which decrease");
}

}  // namespace
}  // namespace lodestone
