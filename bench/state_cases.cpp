// Ops on the states of a batch, row by row.
#include "bench/op_case.h"

namespace lodestone::bench {

namespace {

OpCase elementwise(const OpInputs& in, Var (*op)(const Var&)) {
  const std::int64_t n = in.N * in.H;
  return {.forward = [&in, op, x = in.random({in.N, in.H})] { return op(in.activation(x)); },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(3 * n)}};
}

OpCase layer_norm_case(const OpInputs& in) {
  const std::int64_t n = in.N * in.H;
  return {.forward =
              [&in, x = in.random({in.N, in.H}), weight = in.parameter({in.H}),
               bias = in.parameter({in.H})] {
                return layer_norm(in.activation(x), weight, bias,
                                  static_cast<float>(in.model.layer_norm_eps));
              },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(3 * n)}};
}

OpCase dropout_case(const OpInputs& in) {
  const std::int64_t n = in.N * in.H;
  return {.forward =
              [&in, x = in.random({in.N, in.H}), mask = in.dropout(in.model.hidden_dropout, in.N)] {
                return dropout(in.activation(x), mask);
              },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(2 * n)}};
}

// Forward: x, the residual, their sum (kept) and y. Backward: dy, the sum, dx and the residual's.
OpCase residual_case(const OpInputs& in) {
  const std::int64_t n = in.R * in.H;
  return {.forward =
              [&in, x = in.random({in.R, in.H}), residual = in.random({in.R, in.H}),
               weight = in.parameter({in.H}), bias = in.parameter({in.H}),
               mask = in.dropout(in.model.hidden_dropout, in.R)] {
                return dropout_residual_layer_norm(
                    in.activation(x), in.activation(residual), weight, bias,
                    static_cast<float>(in.model.layer_norm_eps), mask);
              },
          .forward_work = {.bytes = in.bytes(4 * n)},
          .backward_work = {.bytes = in.bytes(4 * n)}};
}

OpCase gather_case(const OpInputs& in) {
  return {.forward =
              [&in, x = in.random({in.N, in.H})] {
                return gather_rows(in.activation(x), in.batch.masked_rows);
              },
          .forward_work = {.bytes = in.bytes(2 * in.M * in.H)},
          .backward_work = {.bytes = in.bytes((in.M + in.N) * in.H)}};
}

OpCase positions_case(const OpInputs& in) {
  const std::int64_t n = in.N * in.H;
  return {.forward =
              [&in, x = in.random({in.N, in.H}), types = in.parameter({2, in.H}),
               positions = in.parameter({in.model.max_positions, in.H})] {
                return add_positions(in.activation(x), types, positions, in.batch.offsets);
              },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(2 * n)}};
}

OpCase cls_case(const OpInputs& in) {
  return {.forward =
              [&in, x = in.random({in.N, in.H}), cls = in.parameter({2, in.H})] {
                return prepend_cls(in.activation(x), cls, in.batch.species, in.batch.offsets);
              },
          .forward_work = {.bytes = in.bytes((in.N + in.R) * in.H)},
          .backward_work = {.bytes = in.bytes((in.N + in.R) * in.H)}};
}

}  // namespace

std::vector<NamedCase> state_cases(const OpInputs& in) {
  return {{"layer_norm", [&in] { return layer_norm_case(in); }},
          {"dropout", [&in] { return dropout_case(in); }},
          {"dropout_residual_layer_norm", [&in] { return residual_case(in); }},
          {"quick_gelu", [&in] { return elementwise(in, quick_gelu); }},
          {"tanh", [&in] { return elementwise(in, lodestone::tanh); }},
          {"gather_rows", [&in] { return gather_case(in); }},
          {"add_positions", [&in] { return positions_case(in); }},
          {"prepend_cls", [&in] { return cls_case(in); }}};
}

}  // namespace lodestone::bench
