#include "bench/op_case.h"

namespace lodestone::bench {

namespace {

OpCase cross_entropy_case(const OpInputs& in) {
  const std::int64_t n = in.M * in.V;
  return {.forward =
              [&in, logits = in.random({in.M, in.V})] {
                return cross_entropy(in.activation(logits), in.batch.gene_labels);
              },
          .forward_work = {.bytes = in.bytes(n)},
          .backward_work = {.bytes = in.bytes(2 * n)}};
}

// A few numbers: their time is that of a call.
OpCase squared_error_case(const OpInputs& in) {
  return {.forward =
              [&in, predictions = in.random({in.M, 1})] {
                return squared_error(in.activation(predictions), in.batch.value_labels);
              },
          .roof = Roof::kNone};
}

OpCase weighted_sum_case(Device device) {
  const auto one = [device] { return Tensor::from(std::vector<float>{1}).to(device); };
  const auto term = [one] { return Var::parameter(one(), one()); };
  return {
      .forward = [terms = std::vector<Var>{term(), term()},
                  weights = std::vector<double>{0.2, 0.8}] { return weighted_sum(terms, weights); },
      .roof = Roof::kNone};
}

}  // namespace

std::vector<NamedCase> loss_cases(const OpInputs& in) {
  return {{"cross_entropy", [&in] { return cross_entropy_case(in); }},
          {"squared_error", [&in] { return squared_error_case(in); }},
          {"weighted_sum", [&in] { return weighted_sum_case(in.device); }}};
}

}  // namespace lodestone::bench
