#include "kernels/cross_entropy.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

void check_labels(const Tensor& labels, std::int64_t rows, std::int64_t columns) {
  check_tensor("cross_entropy", "labels", labels, {rows}, DType::kI32);
  for (const std::int32_t label : labels.host<std::int32_t>())
    check(label == kernels::kIgnoredLabel || (0 <= label && label < columns),
          "cross_entropy: label {} is not in 0 .. {}, nor {} for a row that does not count", label,
          columns - 1, kernels::kIgnoredLabel);
}

}  // namespace

Var cross_entropy(const Var& logits, const Tensor& labels) {
  check_matrix("cross_entropy", "logits", logits.value());
  const Tensor& logits_in = logits.value();
  const std::int64_t rows = logits_in.shape()[0], columns = logits_in.shape()[1];
  check_labels(labels, rows, columns);
  const DType wide = accumulation_type(logits_in.dtype());
  const Device device = logits_in.device();
  Tensor loss = Tensor::empty({1}, wide, device);
  Tensor maxima = Tensor::empty({rows}, wide, device);
  Tensor log_sums = Tensor::empty({rows}, wide, device);
  Tensor row_losses = Tensor::empty({rows}, wide, device);
  kernels::launch(kernels::CrossEntropyForwardArgs{.logits = logits_in.data(),
                                                   .labels = labels.data_on<std::int32_t>(device),
                                                   .maxima = maxima.data(),
                                                   .log_sums = log_sums.data(),
                                                   .row_losses = row_losses.data(),
                                                   .loss = loss.data(),
                                                   .rows = rows,
                                                   .columns = columns,
                                                   .dtype = logits_in.dtype()},
                  device);
  return Var::record(
      "cross_entropy", loss, {logits},
      [logits_in, labels, maxima, log_sums](const Tensor& dy, Grads& grads) {
        // The logits are the largest activation of a step: their gradient takes their place.
        const kernels::Gradient dlogits = grads.want_in_place(0, logits_in);
        if (!dlogits.data) return;
        kernels::launch(
            kernels::CrossEntropyBackwardArgs{.dloss = dy.data(),
                                              .logits = logits_in.data(),
                                              .labels = labels.data_on<std::int32_t>(dy.device()),
                                              .maxima = maxima.data(),
                                              .log_sums = log_sums.data(),
                                              .dlogits = dlogits,
                                              .rows = logits_in.shape()[0],
                                              .columns = logits_in.shape()[1],
                                              .dtype = logits_in.dtype()},
            dy.device());
      });
}

}  // namespace lodestone
