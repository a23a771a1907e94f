// The CUDA attention against the CPU's in f64: every head size, every kind of length, dropout,
// chosen rows, gradients that are added to; and the same bits twice.
#include <gtest/gtest.h>

#include "tests/gpu/attention_case.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

using testing::AttentionCase;
using testing::AttentionResults;
using testing::AttentionTensors;
using testing::expect_error;
using testing::whole_cells;
using testing::worst_row;

// What the error of a row of one head may be, relative to its length. In bf16 y comes of weights
// that were rounded and is rounded itself: by 2^-9 / sqrt(3) each in the mean, and the mean is what
// rows of 32 elements and more have; 2^-8 is over twice as much as both. The gradient of a score is
// a difference of two terms, of which one has the error of y and which may be much larger than what
// is left of them: 2^-6. In f32 exponents of up to 10 have errors of 1e-6; differences as before.
template <class T>
struct Tolerance {
  static constexpr bool kIsF32 = std::is_same_v<T, float>;
  static constexpr double kResult = kIsF32 ? 3e-6 : 1.0 / 256;
  static constexpr double kGradient = kIsF32 ? 1e-5 : 1.0 / 64;
  static constexpr double kLogSum = 3e-6;
};

template <class T>
void expect_as_on_cpu(const AttentionCase& c, const AttentionResults& got) {
  using Allowed = Tolerance<T>;
  const AttentionResults expected = AttentionTensors<double>(c).on_cpu();
  EXPECT_LE(worst_row(got.y, expected.y, c.head_size), Allowed::kResult);
  EXPECT_LE(worst_row(got.log_sums, expected.log_sums, c.heads), Allowed::kLogSum);
  EXPECT_LE(worst_row(got.dqueries, expected.dqueries, c.head_size), Allowed::kGradient);
  EXPECT_LE(worst_row(got.dkeys_values, expected.dkeys_values, c.head_size), Allowed::kGradient);
}

template <class T>
class AttentionCuda : public ::testing::Test {
 protected:
  static void check(const AttentionCase& c) {
    SCOPED_TRACE(::testing::Message()
                 << "cells of " << ::testing::PrintToString(c.keys) << ", heads of " << c.head_size
                 << (c.dropout ? ", dropout" : "") << (c.accumulate ? ", accumulate" : ""));
    expect_as_on_cpu<T>(c, AttentionTensors<T>(c).on_cuda());
  }
};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(AttentionCuda, Types);

TYPED_TEST(AttentionCuda, EveryHeadSize) {
  for (const std::int64_t head_size : {32, 64, 128})
    for (const bool dropout : {false, true})
      this->check(whole_cells({1, 17, 129, 2}, 1, head_size, dropout));
  // Without tensor cores, for bf16 too.
  for (const std::int64_t head_size : {5, 16, 72})
    this->check(whole_cells({1, 17, 33, 2}, 2, head_size, head_size == 16));
}

// Up to, at and past whole tiles and whole products.
TYPED_TEST(AttentionCuda, EveryLength) {
  this->check(whole_cells({1, 2, 15, 16, 17, 63, 64, 65}, 1, 64, false));
  this->check(whole_cells({127, 128, 129}, 1, 32, false));
  this->check(whole_cells({300}, 1, 64, true));
}

// Of some cells only some rows are queries, of some none; one cell is empty.
TYPED_TEST(AttentionCuda, ChosenRows) {
  for (const bool dropout : {false, true})
    this->check({{7, 0, 140, 0, 1}, {31, 70, 200, 0, 129}, 2, 64, dropout});
}

TYPED_TEST(AttentionCuda, AddsToGradients) {
  for (const std::int64_t head_size : {32, 64, 128}) {
    AttentionCase c = whole_cells({66, 3}, 2, head_size, false);
    c.accumulate = true;
    this->check(c);
  }
}

// Scores of some thousands; scores so low that a key's weight would overflow if it were taken for
// zero, as those of keys past the end of the cell are.
TYPED_TEST(AttentionCuda, ExtremeScoresDoNotOverflow) {
  AttentionCase large = whole_cells({150}, 1, 64, false), low = large;
  large.input_scale = 30;
  low.opposition = 32;
  for (const AttentionCase& c : {large, low}) {
    const AttentionResults got = AttentionTensors<TypeParam>(c).on_cuda();
    for (const auto* values : {&got.y, &got.log_sums, &got.dqueries, &got.dkeys_values})
      EXPECT_TRUE(std::all_of(values->begin(), values->end(),
                              [](double value) { return std::isfinite(value); }));
  }
}

TYPED_TEST(AttentionCuda, GivesTheSameBitsTwice) {
  AttentionTensors<TypeParam> tensors({{150, 5}, {150, 70}, 2, 64, true});
  EXPECT_TRUE(tensors.on_cuda() == tensors.on_cuda());
}

TYPED_TEST(AttentionCuda, NothingToDo) {
  this->check({{0, 0}, {0, 3}, 2, 64, false});
}

TEST(AttentionCudaF32, TakesAnyHeadUpTo128) {
  for (const std::int64_t head_size : {1, 7, 8, 12, 16, 24, 96}) {
    const AttentionCase c = whole_cells({33, 5}, 2, head_size, true);
    SCOPED_TRACE(::testing::Message() << "heads of " << head_size);
    expect_as_on_cpu<float>(c, AttentionTensors<float>(c).on_cuda());
  }
}

template <class T>
void expect_refusal(const AttentionCase& c, const std::string& text) {
  expect_error(ErrorKind::kInvalidArgument, text, [&] { AttentionTensors<T>(c).on_cuda(); });
}

TEST(AttentionCudaRefuses, WhatItHasNoKernelFor) {
  expect_refusal<BFloat16>(whole_cells({3}, 1, 136, false), "up to 128 columns, got 136");
  expect_refusal<float>(whole_cells({3}, 1, 200, false), "up to 128 columns, got 200");
  expect_refusal<double>(whole_cells({3}, 1, 64, false), "f64 has no CUDA kernel");
}

}  // namespace
}  // namespace lodestone
