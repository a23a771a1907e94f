#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/autograd/var.h"

namespace lodestone::testing {

using Function = std::function<Var(const std::vector<Var>&)>;

// Standard normal numbers, the same for the same key.
Tensor random_f64(const Shape& shape, std::uint64_t key);

// The same value as the result of an op: its gradient is overwritten by the first contribution
// where a leaf's is accumulated from the start, and may have the dtype of an activation.
Var interior(const Var& x);

// Largest |analytic - numeric| / max(1, |numeric|) of the derivatives of <seed, f(inputs)> for a
// fixed random seed, all in f64; infinite when one is not finite. Numeric derivatives are central
// differences: of every element of a small input, of 48 elements chosen by chance of a larger one,
// and always along one random direction of unit length, which sees them all. The backward pass runs
// twice: accumulating onto noise (inputs are leaves) and overwriting NaN (inputs are results in
// poisoned memory).
double gradcheck(const Function& f, const std::vector<Tensor>& inputs, double step = 1e-5);

}  // namespace lodestone::testing
