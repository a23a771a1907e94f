#pragma once
// One table of cases serves every check of an op.
#include <functional>
#include <string>
#include <vector>

#include "engine/core/error.h"
#include "tests/testing/gradcheck.h"

namespace lodestone::testing {

struct OpCase {
  std::string name;
  // Gets one Var per input, in the dtype under test. What else the op takes (indices, targets) it
  // captures, and casts wide constants to accumulation_type of that dtype itself.
  Function f;
  std::vector<Tensor> inputs;  // f64
  double gradient_tolerance = 1e-7;
  // Largest relative Frobenius error against f64, of the result and of every gradient.
  double f32_tolerance = 1e-5;
  double bf16_tolerance = 1e-2;
  bool gradcheck = true;  // false for sizes at which finite differences take too long
};

// Expects of one case that
// - gradients agree with finite differences in f64 (see gradcheck);
// - result and gradients in f32 and in bf16 agree with f64 on the same inputs, which are rounded to
//   bf16 first. f is applied twice to the same inputs, so that in every dtype each gradient is
//   first written over NaN and then added to;
// - a second run gives the same bits;
// - 1, 2 and 3 threads agree in f64 to 1e-12, and in the other dtypes to their tolerance;
// - no memory is left.
// Where test_device() is cuda: the same of f32 and bf16 there, against f64 on the CPU, without
// finite differences and threads.
void check_op(const OpCase& c);
void check_ops(const std::vector<OpCase>& cases);

// ||got - expected|| / ||expected||, floating tensors of one shape. 0 when both are zero; infinite
// when got is not finite or the shapes differ.
double relative_error(const Tensor& got, const Tensor& expected);

// Expects an Error of this kind whose message contains `text`.
void expect_throws(ErrorKind kind, const std::function<void()>& call, const std::string& text);

}  // namespace lodestone::testing
