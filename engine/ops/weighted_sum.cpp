#include "kernels/weighted_sum.h"

#include <algorithm>

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var weighted_sum(std::span<const Var> terms, std::span<const double> weights) {
  check(!terms.empty() && terms.size() <= kernels::kMaxSumTerms,
        "weighted_sum: takes 1 to {} terms, got {}", kernels::kMaxSumTerms, terms.size());
  check(weights.size() == terms.size(), "weighted_sum: {} terms need as many weights, got {}",
        terms.size(), weights.size());
  check(
      terms[0].defined() && accumulation_type(terms[0].value().dtype()) == terms[0].value().dtype(),
      "weighted_sum: the first term must be f32 or f64");
  const DType dtype = terms[0].value().dtype();
  const Device device = terms[0].value().device();
  kernels::WeightedSumForwardArgs args{};
  kernels::WeightedSumBackwardArgs back{};
  args.count = back.count = static_cast<int>(terms.size());
  args.dtype = back.dtype = dtype;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    check_tensor("weighted_sum", "a term", terms[k].value(), {1}, dtype);
    args.terms[k] = terms[k].value().data();
    args.weights[k] = back.weights[k] = weights[k];
  }
  Tensor y = Tensor::empty({1}, dtype, device);
  args.y = y.data();
  kernels::launch(args, device);
  return Var::record("weighted_sum", y, terms, [back](const Tensor& dy, Grads& grads) {
    kernels::WeightedSumBackwardArgs filled = back;
    filled.dy = dy.data();
    for (int k = 0; k < filled.count; ++k) filled.dterms[k] = grads.want(k, filled.dtype);
    kernels::launch(filled, dy.device());
  });
}

}  // namespace lodestone
