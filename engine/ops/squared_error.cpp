#include "kernels/squared_error.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var squared_error(const Var& predictions, const Tensor& targets) {
  const Tensor& x = predictions.value();
  check(x.defined() && is_floating(x.dtype()) &&
            (x.shape().rank() == 1 || (x.shape().rank() == 2 && x.shape()[1] == 1)),
        "squared_error: predictions must be [rows] or [rows, 1] of f32, bf16 or f64, got {}",
        x.shape().text());
  const DType wide = accumulation_type(x.dtype());
  check_tensor("squared_error", "targets", targets, {x.numel()}, wide);
  Tensor loss = Tensor::empty({1}, wide, x.device());
  kernels::launch(kernels::SquaredErrorForwardArgs{.predictions = x.data(),
                                                   .targets = targets.on(x.device()).data(),
                                                   .loss = loss.data(),
                                                   .count = x.numel(),
                                                   .dtype = x.dtype()},
                  x.device());
  return Var::record(
      "squared_error", loss, {predictions}, [x, targets](const Tensor& dy, Grads& grads) {
        const kernels::Gradient dpredictions = grads.want(0, x.dtype());
        if (!dpredictions.data) return;
        kernels::launch(kernels::SquaredErrorBackwardArgs{.dloss = dy.data(),
                                                          .predictions = x.data(),
                                                          .targets = targets.on(x.device()).data(),
                                                          .dpredictions = dpredictions,
                                                          .count = x.numel(),
                                                          .dtype = x.dtype()},
                        dy.device());
      });
}

}  // namespace lodestone
