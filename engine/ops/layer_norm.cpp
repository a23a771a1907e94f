#include "kernels/layer_norm.h"

#include "engine/core/check.h"
#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"
#include "kernels/row_blocks.h"

namespace lodestone {

namespace {

void check_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  check_matrix("layer_norm", "x", x);
  const std::int64_t cols = x.shape()[1];
  check(cols > 0, "layer_norm: x must have columns, got {}", x.shape().text());
  check(eps > 0, "layer_norm: eps must be positive, got {}", eps);
  check_tensor("layer_norm", "weight", weight, {cols}, x.dtype());
  check_tensor("layer_norm", "bias", bias, {cols}, x.dtype());
}

Backward backward_of(const Tensor& x, const Tensor& weight, const Tensor& mean,
                     const Tensor& rstd) {
  return [x, weight, mean, rstd](const Tensor& dy, Grads& grads) {
    const std::int64_t rows = x.shape()[0], cols = x.shape()[1];
    const DType wide = accumulation_type(dy.dtype());
    Tensor parts = Tensor::empty({kernels::row_blocks(rows), 2, cols}, wide, dy.device());
    kernels::launch(kernels::LayerNormBackwardArgs{.dy = dy.data(),
                                                   .x = x.data(),
                                                   .weight = weight.data(),
                                                   .mean = mean.data(),
                                                   .rstd = rstd.data(),
                                                   .dx = grads.want(0, dy.dtype()),
                                                   .dweight = grads.want(1, wide),
                                                   .dbias = grads.want(2, wide),
                                                   .parts = parts.data(),
                                                   .rows = rows,
                                                   .cols = cols,
                                                   .dtype = dy.dtype()},
                    dy.device());
  };
}

}  // namespace

Var layer_norm(const Var& x, const Var& weight, const Var& bias, float eps) {
  const Tensor& x_in = x.value();
  const Tensor& w = weight.value();
  check_arguments(x_in, w, bias.value(), eps);
  const std::int64_t rows = x_in.shape()[0], cols = x_in.shape()[1];
  const DType dtype = x_in.dtype(), wide = accumulation_type(dtype);
  Tensor y = Tensor::empty_like(x_in);
  Tensor mean = Tensor::empty({rows}, wide, x_in.device());
  Tensor rstd = Tensor::empty({rows}, wide, x_in.device());
  kernels::launch(kernels::LayerNormForwardArgs{.x = x_in.data(),
                                                .weight = w.data(),
                                                .bias = bias.value().data(),
                                                .y = y.data(),
                                                .mean = mean.data(),
                                                .rstd = rstd.data(),
                                                .rows = rows,
                                                .cols = cols,
                                                .eps = eps,
                                                .dtype = dtype},
                  x_in.device());
  return Var::record("layer_norm", y, {x, weight, bias}, backward_of(x_in, w, mean, rstd));
}

}  // namespace lodestone
