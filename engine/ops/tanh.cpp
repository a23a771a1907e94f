#include "kernels/tanh.h"

#include "engine/core/check.h"
#include "engine/ops.h"
#include "kernels/launch.h"

namespace lodestone {

Var tanh(const Var& x) {
  const Tensor& x_in = x.value();
  check(x_in.defined() && is_floating(x_in.dtype()), "tanh: x must be f32, bf16 or f64, got {}",
        x_in.defined() ? name_of(x_in.dtype()) : "nothing");
  Tensor y = Tensor::empty_like(x_in);
  kernels::launch(
      kernels::TanhForwardArgs{
          .x = x_in.data(), .y = y.data(), .count = x_in.numel(), .dtype = x_in.dtype()},
      x_in.device());
  return Var::record("tanh", y, {x}, [y](const Tensor& dy, Grads& grads) {
    kernels::launch(kernels::TanhBackwardArgs{.dy = dy.data(),
                                              .y = y.data(),
                                              .dx = grads.want(0, dy.dtype()),
                                              .count = dy.numel(),
                                              .dtype = dy.dtype()},
                    dy.device());
  });
}

}  // namespace lodestone
