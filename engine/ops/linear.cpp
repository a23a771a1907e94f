#include "kernels/linear.h"

#include "engine/core/check.h"
#include "engine/ops.h"
#include "kernels/launch.h"
#include "kernels/row_blocks.h"

namespace lodestone {

namespace {

void check_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.defined() && is_floating(x.dtype()) && x.shape().rank() == 2,
        "linear: x must be real [N, C], got {}", x.shape().text());
  const std::int64_t in = x.shape()[1];
  check(weight.shape().rank() == 2 && weight.shape()[1] == in,
        "linear: weight must be [O, {}] for x of {}, got {}", in, x.shape().text(),
        weight.shape().text());
  check(weight.dtype() == x.dtype(), "linear: weight must be {} as x, got {}", name_of(x.dtype()),
        name_of(weight.dtype()));
  if (!bias.defined()) return;
  check(bias.shape() == Shape{weight.shape()[0]} && bias.dtype() == x.dtype(),
        "linear: bias must be {} [{}], got {} {}", name_of(x.dtype()), weight.shape()[0],
        name_of(bias.dtype()), bias.shape().text());
}

// `pre_activation` is undefined without an activation.
Backward backward_of(const Tensor& x, const Tensor& weight, Activation activation,
                     const Tensor& pre_activation) {
  return [x, weight, activation, pre_activation](const Tensor& dy, Grads& grads) {
    Tensor dpre_activation = pre_activation.defined() ? Tensor::empty_like(dy) : Tensor();
    const DType wide = accumulation_type(dy.dtype());
    const std::int64_t rows = x.shape()[0], out = weight.shape()[0];
    Tensor parts = Tensor::empty({kernels::row_blocks(rows), out}, wide, dy.device());
    kernels::launch(kernels::LinearBackwardArgs{.dy = dy.data(),
                                                .x = x.data(),
                                                .weight = weight.data(),
                                                .pre_activation = pre_activation.data(),
                                                .dpre_activation = dpre_activation.data(),
                                                .dx = grads.want(0, dy.dtype()),
                                                .dweight = grads.want(1, wide),
                                                .dbias = grads.want(2, wide),
                                                .parts = parts.data(),
                                                .rows = rows,
                                                .in = x.shape()[1],
                                                .out = out,
                                                .activation = activation,
                                                .dtype = dy.dtype()},
                    dy.device());
  };
}

}  // namespace

Var linear(const Var& x, const Var& weight, const Var& bias, Activation activation) {
  const Tensor& x_in = x.value();
  const Tensor& w = weight.value();
  const Tensor& b = bias.value();
  check_arguments(x_in, w, b);
  const std::int64_t rows = x_in.shape()[0], in = x_in.shape()[1], out = w.shape()[0];
  const bool activated = activation != Activation::kNone;
  Tensor y = Tensor::empty({rows, out}, x_in.dtype(), x_in.device());
  // Nobody needs it again where nothing is recorded: the activation is then applied in place.
  const bool keep = activated && Var::records({x, weight, bias});
  Tensor pre_activation = keep ? Tensor::empty_like(y) : y;
  kernels::launch(kernels::LinearForwardArgs{.x = x_in.data(),
                                             .weight = w.data(),
                                             .bias = b.data(),
                                             .pre_activation = pre_activation.data(),
                                             .y = y.data(),
                                             .rows = rows,
                                             .in = in,
                                             .out = out,
                                             .activation = activation,
                                             .dtype = x_in.dtype()},
                  x_in.device());
  return Var::record("linear", y, {x, weight, bias},
                     backward_of(x_in, w, activation, activated ? pre_activation : Tensor()));
}

}  // namespace lodestone
