#include "bench/op_case.h"

namespace lodestone::bench {

namespace {

// Pairs of a query and a key, over the cells.
double pairs_of(const Tensor& query_offsets, const Tensor& offsets) {
  const auto queries = query_offsets.host<std::int64_t>(), keys = offsets.host<std::int64_t>();
  double pairs = 0;
  for (std::size_t b = 0; b + 1 < keys.size(); ++b)
    pairs += static_cast<double>(queries[b + 1] - queries[b]) *
             static_cast<double>(keys[b + 1] - keys[b]);
  return pairs;
}

// Two products of H columns a pair.
OpCase counted(const OpInputs& in, const Tensor& query_offsets) {
  const double flops = 4 * pairs_of(query_offsets, in.state_offsets) * static_cast<double>(in.H);
  return {.forward_work = {.flops = flops},
          .backward_work = {.flops = 2 * flops},
          .roof = multiplies(in.dtype)};
}

OpCase all_rows(const OpInputs& in, double probability) {
  OpCase made = counted(in, in.state_offsets);
  made.forward = [&in, qkv = in.random({in.R, 3 * in.H}), dropout = in.dropout(probability, in.R)] {
    return attention(in.activation(qkv), in.state_offsets, in.model.heads, dropout);
  };
  return made;
}

OpCase chosen_rows(const OpInputs& in) {
  OpCase made = counted(in, in.chosen_offsets);
  made.forward = [&in, queries = in.random({in.M, in.H}), keys_values = in.random({in.R, 2 * in.H}),
                  dropout = in.dropout(in.model.attention_dropout, in.M)] {
    return attention(in.activation(queries), in.activation(keys_values), in.chosen_offsets,
                     in.state_offsets, in.model.heads, dropout);
  };
  return made;
}

}  // namespace

std::vector<NamedCase> attention_cases(const OpInputs& in) {
  return {{"attention", [&in] { return all_rows(in, in.model.attention_dropout); }},
          {"attention_without_dropout", [&in] { return all_rows(in, 0); }},
          {"attention_of_chosen_rows", [&in] { return chosen_rows(in); }}};
}

}  // namespace lodestone::bench
