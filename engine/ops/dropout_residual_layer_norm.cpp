#include "kernels/dropout_residual_layer_norm.h"

#include <utility>

#include "engine/core/check.h"
#include "engine/ops.h"
#include "engine/ops/dropout_mask.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"
#include "kernels/row_blocks.h"

namespace lodestone {

namespace {

constexpr const char* kName = "dropout_residual_layer_norm";

void check_arguments(const Tensor& x, const Tensor& residual, const Tensor& weight,
                     const Tensor& bias, float eps) {
  check_matrix(kName, "x", x);
  check(x.shape()[1] > 0, "{}: x must have columns, got {}", kName, x.shape().text());
  check(eps > 0, "{}: eps must be positive, got {}", kName, eps);
  check_tensor(kName, "residual", residual, x.shape(), x.dtype());
  check_tensor(kName, "weight", weight, {x.shape()[1]}, x.dtype());
  check_tensor(kName, "bias", bias, {x.shape()[1]}, x.dtype());
}

// What the backward keeps. Neither x nor the residual: it needs only their sum.
struct Kept {
  Tensor sum, weight, mean, rstd;
  Tensor row_keys;  // owns what `mask` points to
  kernels::DropoutMask mask;
};

Backward backward_of(Kept kept) {
  return [kept = std::move(kept)](const Tensor& dy, Grads& grads) {
    const std::int64_t rows = dy.shape()[0], cols = dy.shape()[1];
    const DType wide = accumulation_type(dy.dtype());
    Tensor parts = Tensor::empty({kernels::row_blocks(rows), 2, cols}, wide, dy.device());
    kernels::launch(
        kernels::DropoutResidualLayerNormBackwardArgs{.dy = dy.data(),
                                                      .sum = kept.sum.data(),
                                                      .weight = kept.weight.data(),
                                                      .mean = kept.mean.data(),
                                                      .rstd = kept.rstd.data(),
                                                      .dx = grads.want(0, dy.dtype()),
                                                      .dresidual = grads.want(1, dy.dtype()),
                                                      .dweight = grads.want(2, wide),
                                                      .dbias = grads.want(3, wide),
                                                      .parts = parts.data(),
                                                      .rows = rows,
                                                      .cols = cols,
                                                      .mask = kept.mask,
                                                      .dtype = dy.dtype()},
        dy.device());
  };
}

}  // namespace

Var dropout_residual_layer_norm(const Var& x, const Var& residual, const Var& weight,
                                const Var& bias, float eps, const Dropout& dropout) {
  const Tensor& x_in = x.value();
  const Tensor& w = weight.value();
  check_arguments(x_in, residual.value(), w, bias.value(), eps);
  const std::int64_t rows = x_in.shape()[0], cols = x_in.shape()[1];
  const DType dtype = x_in.dtype(), wide = accumulation_type(dtype);
  const kernels::DropoutMask mask = checked_mask(kName, dropout, rows, x_in.device());

  Tensor y = Tensor::empty_like(x_in);
  Tensor sum = Var::records({x, residual, weight, bias}) ? Tensor::empty_like(y) : y;
  Tensor mean = Tensor::empty({rows}, wide, x_in.device());
  Tensor rstd = Tensor::empty({rows}, wide, x_in.device());
  kernels::launch(kernels::DropoutResidualLayerNormForwardArgs{.x = x_in.data(),
                                                               .residual = residual.value().data(),
                                                               .weight = w.data(),
                                                               .bias = bias.value().data(),
                                                               .sum = sum.data(),
                                                               .y = y.data(),
                                                               .mean = mean.data(),
                                                               .rstd = rstd.data(),
                                                               .rows = rows,
                                                               .cols = cols,
                                                               .eps = eps,
                                                               .mask = mask,
                                                               .dtype = dtype},
                  x_in.device());
  const Tensor row_keys = mask.enabled ? dropout.row_keys : Tensor();
  return Var::record(kName, y, {x, residual, weight, bias},
                     backward_of({sum, w, mean, rstd, row_keys, mask}));
}

}  // namespace lodestone
