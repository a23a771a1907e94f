#pragma once
// Everything in cat_fc(u) but the value column depends on (id, prior id) alone and is linear (spec
// section 2), so it is computed once per optimizer step, for the pairs that occur:
// cat_fc(u) = T[row of the pair] + value * value_weight.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/ops.h"
#include "model/batch.h"

namespace lodestone {

// The distinct (id, prior id) pairs of some batches. A mouse cell looks its prior knowledge up at
// homologous_index[id], everything else at id.
class TokenPairs {
 public:
  // `homologous_index` is empty when no prior is switched on: then ids alone make the pairs.
  // Token ids must be in [0, vocabulary); throws kInvalidArgument otherwise.
  TokenPairs(std::span<const Batch> batches, std::span<const std::int32_t> homologous_index,
             std::int64_t vocabulary);
  const Tensor& ids() const { return ids_; }              // i32 [U]
  const Tensor& prior_ids() const { return prior_ids_; }  // i32 [U]
  // The pair of every token of a batch, among all U. Every pair must be there.
  TokenGroups groups(const Batch& batch) const;

 private:
  std::int32_t& row_of(std::int32_t id, bool mouse);
  std::int32_t row_of(std::int32_t id, bool mouse) const;
  bool by_species_;
  std::vector<std::int32_t> rows_;  // [2 * V], -1 where a pair does not occur
  Tensor ids_, prior_ids_;
};

// T of one optimizer step, shared by its micro-batches. Their backward passes add to its gradient;
// `backward` then carries the sum through T's own construction, once.
class TokenTable {
 public:
  // `table`: [U, H], the rows of `pairs` as the embedding computed them.
  TokenTable(TokenPairs pairs, Var table);
  const TokenPairs& pairs() const { return pairs_; }
  const Var& rows() const { return rows_; }  // [U, H]
  // After the last micro-batch's backward; nothing to do when nothing needs a gradient.
  void backward();

 private:
  TokenPairs pairs_;
  Var table_;        // with its history
  Tensor gradient_;  // wide [U, H]
  Var rows_;         // the same values, without
};

}  // namespace lodestone
