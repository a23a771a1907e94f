// Ops of the token table. Gradients of tables are wide and added to what is there.
#include "bench/op_case.h"

namespace lodestone::bench {

namespace {

OpCase lookup_case(const OpInputs& in) {
  const std::int64_t n = in.U * in.H;
  return {.forward =
              [&in, table = in.parameter({in.V, in.H})] {
                return embedding_lookup(table, in.pairs.ids(), kPadToken);
              },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(n) + in.wide_bytes(2 * n)}};
}

OpCase concatenation_case(const OpInputs& in) {
  const std::size_t parts = 1 + in.model.priors().size();
  const auto n = static_cast<std::int64_t>(parts) * in.U * in.H;
  return {.forward =
              [&in, parts, x = in.random({in.U, in.H})] {
                std::vector<Var> columns;
                for (std::size_t i = 0; i < parts; ++i) columns.push_back(in.activation(x));
                return concat_columns(columns, std::vector<float>(parts, 1.0f));
              },
          .forward_work = {.bytes = in.bytes(2 * n)},
          .backward_work = {.bytes = in.bytes(2 * n)}};
}

OpCase table_case(const OpInputs& in) {
  const std::int64_t tokens = in.N * in.H, rows = in.U * in.H;
  return {.forward =
              [&in, table = in.parameter({in.U, in.H}), weight = in.parameter({in.H}),
               groups = in.pairs.groups(in.batch)] {
                return table_embedding(table, weight, in.batch.values, groups);
              },
          .forward_work = {.bytes = in.bytes(rows + tokens)},
          .backward_work = {.bytes = in.bytes(tokens) + in.wide_bytes(2 * rows)}};
}

}  // namespace

std::vector<NamedCase> embedding_cases(const OpInputs& in) {
  return {{"embedding_lookup", [&in] { return lookup_case(in); }},
          {"concat_columns", [&in] { return concatenation_case(in); }},
          {"table_embedding", [&in] { return table_case(in); }}};
}

}  // namespace lodestone::bench
