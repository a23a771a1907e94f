#pragma once
// Every differentiable op, one declaration each. An op lives in engine/ops/<name>.cpp, with its
// kernels in kernels/<name>.h, kernels/cpu/<name>.cpp and its tests in tests/ops/<name>_test.cpp.
//
// Shapes: N packed rows, C columns, B cells, M chosen rows, V vocabulary, U distinct table rows.
// "real" is the op's floating dtype (f32, f64 or bf16), the same for all real inputs of a call;
// "wide" is accumulation_type of it (f32 or f64). Shapes that do not fit throw kInvalidArgument.
#include <cstdint>
#include <span>

#include "engine/autograd/var.h"
#include "engine/core/philox.h"
#include "kernels/activation.h"

namespace lodestone {

// y[N, O] = activation(x[N, C] @ weight[O, C]^T + bias[O]). `bias` may be undefined.
Var linear(const Var& x, const Var& weight, const Var& bias,
           Activation activation = Activation::kNone);

// Normalises the rows of x[N, C] to mean 0 and (population) variance 1, then * weight[C] + bias[C].
Var layer_norm(const Var& x, const Var& weight, const Var& bias, float eps);

// What a dropout needs. Probability 0: nothing is dropped and the rest is not read.
// Element (row r, column c) is dropped iff word c % 4 of key.at(row_keys[r], c / 4) is below
// drop_threshold(probability); what stays is divided by 1 - probability.
struct Dropout {
  float probability = 0;  // in [0, 1)
  RandomKey key;
  Tensor row_keys;  // i64 [N]: row_key(cell's ordinal in the global batch, position in the cell)
};
Var dropout(const Var& x, const Dropout& dropout);

// layer_norm(residual[N, C] + dropout(x[N, C])), in one pass.
Var dropout_residual_layer_norm(const Var& x, const Var& residual, const Var& weight,
                                const Var& bias, float eps, const Dropout& dropout);

// Multi-head attention within each cell. qkv[N, 3 * heads * D] holds a row's queries, keys and
// values, each [heads, D]; cell b's rows are offsets[b] .. offsets[b + 1] (i64 [B + 1], offsets[0]
// = 0, offsets[B] = N). y[N, heads * D] = softmax(q k^T / sqrt(D)) v. Dropout falls on the
// probabilities: word k % 4 of key.at(row_keys[query row], k / 4, head) for key position k in the
// cell. Never materialises a cell's square; the backward recomputes probabilities.
Var attention(const Var& qkv, const Tensor& offsets, std::int64_t heads, const Dropout& dropout);
// The same for chosen rows alone: queries[M, heads * D], cell b's from query_offsets[b] on (i64
// [B + 1]), to the keys and values keys_values[N, 2 * heads * D] of all rows. y[M, heads * D].
Var attention(const Var& queries, const Var& keys_values, const Tensor& query_offsets,
              const Tensor& offsets, std::int64_t heads, const Dropout& dropout);

Var quick_gelu(const Var& x);  // x * sigmoid(1.702 x)
Var tanh(const Var& x);

// y[M, C] = x[rows[m]] for rows i32 [M], each in [0, N), of an activation x[N, C].
Var gather_rows(const Var& x, const Tensor& rows);
// The same of a parameter: y[M, C] = table[rows[m]], each in [0, V), with a wide gradient. Rows
// equal to `row_without_gradient` contribute none.
Var embedding_lookup(const Var& table, const Tensor& rows, std::int32_t row_without_gradient = -1);

// y[N, C0 + C1 + ...] = [scales[0] * parts[0] | scales[1] * parts[1] | ...], parts[k]: [N, Ck].
Var concat_columns(std::span<const Var> parts, std::span<const float> scales);

// Which table row each packed token uses, and the inverse: tokens grouped by table row.
struct TokenGroups {
  Tensor row_of_token;   // i32 [N], in [0, U)
  Tensor token_order;    // i32 [N]: tokens sorted by table row, ties by token
  Tensor group_offsets;  // i64 [U + 1]: tokens of row u are token_order[offsets[u] .. offsets[u+1]]
};
// y[n] = table[row_of_token[n]] + values[n] * value_weight. table[U, C], value_weight[C] (may be
// undefined, then values is not read), values wide [N] (not differentiable). The gradients of both
// are wide: each sums over many tokens.
Var table_embedding(const Var& table, const Var& value_weight, const Tensor& values,
                    const TokenGroups& groups);

// y[n] = x[n] + token_type[0] + positions[rank of n in its cell]. x[N, C], token_type[T, C],
// positions[P, C] with P >= the longest cell, offsets i64 [B + 1].
Var add_positions(const Var& x, const Var& token_type, const Var& positions, const Tensor& offsets);

// Puts row cls[species[b]] before the rows of each cell: y[N + B, C]; x[N, C], cls[S, C],
// species i32 [B], offsets i64 [B + 1] of x. Cell b of y begins at offsets[b] + b.
Var prepend_cls(const Var& x, const Var& cls, const Tensor& species, const Tensor& offsets);

// Sum over rows of -log softmax(logits[m])[labels[m]]: wide [1]. labels i32 [M] in [0, V), or -100
// for a row that does not count.
Var cross_entropy(const Var& logits, const Tensor& labels);

// Sum over m of (predictions[m] - targets[m])^2: wide [1]. predictions[M, 1] or [M]; targets wide
// [M].
Var squared_error(const Var& predictions, const Tensor& targets);

// Sum over k of weights[k] * terms[k]: wide [1], terms wide [1].
Var weighted_sum(std::span<const Var> terms, std::span<const double> weights);

}  // namespace lodestone
