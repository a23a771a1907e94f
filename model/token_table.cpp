#include "model/token_table.h"

#include <utility>

namespace lodestone {

TokenPairs::TokenPairs(std::span<const Batch> batches,
                       std::span<const std::int32_t> homologous_index, std::int64_t vocabulary)
    : by_species_(!homologous_index.empty()), rows_(static_cast<std::size_t>(2 * vocabulary), -1) {
  std::vector<std::int32_t> ids, prior_ids;
  for (const Batch& batch : batches) {
    const auto genes = batch.genes.host<std::int32_t>();
    const auto offsets = batch.offsets.host<std::int64_t>();
    const auto species = batch.species.host<std::int32_t>();
    for (std::size_t cell = 0; cell < species.size(); ++cell) {
      const bool mouse = species[cell] == static_cast<std::int32_t>(Species::kMouse);
      for (auto n = static_cast<std::size_t>(offsets[cell]);
           n < static_cast<std::size_t>(offsets[cell + 1]); ++n) {
        const std::int32_t id = genes[n];
        check(id >= 0 && id < vocabulary, "token {} of a batch is not in [0, {})", id, vocabulary);
        std::int32_t& row = row_of(id, mouse);
        if (row >= 0) continue;
        row = static_cast<std::int32_t>(ids.size());
        ids.push_back(id);
        prior_ids.push_back(by_species_ && mouse ? homologous_index[static_cast<std::size_t>(id)]
                                                 : id);
      }
    }
  }
  ids_ = Tensor::from(ids);
  prior_ids_ = Tensor::from(prior_ids);
}

std::int32_t& TokenPairs::row_of(std::int32_t id, bool mouse) {
  return rows_[2 * static_cast<std::size_t>(id) + (by_species_ && mouse ? 1 : 0)];
}

std::int32_t TokenPairs::row_of(std::int32_t id, bool mouse) const {
  return const_cast<TokenPairs*>(this)->row_of(id, mouse);
}

TokenGroups TokenPairs::groups(const Batch& batch) const {
  TokenGroups groups;
  const std::int64_t tokens = batch.tokens();
  groups.row_of_token = Tensor::empty({tokens}, DType::kI32, Device::cpu());
  groups.token_order = Tensor::empty({tokens}, DType::kI32, Device::cpu());
  groups.group_offsets = Tensor::zeros({ids_.numel() + 1}, DType::kI64, Device::cpu());
  const auto genes = batch.genes.host<std::int32_t>();
  const auto offsets = batch.offsets.host<std::int64_t>();
  const auto species = batch.species.host<std::int32_t>();
  const auto rows = groups.row_of_token.host<std::int32_t>();
  const auto ends = groups.group_offsets.host<std::int64_t>();
  for (std::size_t cell = 0; cell < species.size(); ++cell)
    for (auto n = static_cast<std::size_t>(offsets[cell]);
         n < static_cast<std::size_t>(offsets[cell + 1]); ++n) {
      rows[n] = row_of(genes[n], species[cell] == static_cast<std::int32_t>(Species::kMouse));
      check(rows[n] >= 0, "token {} is not in this step's table", genes[n]);
      ++ends[static_cast<std::size_t>(rows[n]) + 1];
    }
  for (std::size_t u = 1; u < ends.size(); ++u) ends[u] += ends[u - 1];
  std::vector<std::int64_t> next(ends.begin(), ends.end() - 1);
  const auto order = groups.token_order.host<std::int32_t>();
  for (std::size_t n = 0; n < rows.size(); ++n)
    order[static_cast<std::size_t>(next[static_cast<std::size_t>(rows[n])]++)] =
        static_cast<std::int32_t>(n);
  return groups;
}

TokenTable::TokenTable(TokenPairs pairs, Var table)
    : pairs_(std::move(pairs)), table_(std::move(table)) {
  if (!table_.requires_grad()) {
    rows_ = Var(table_.value());
    return;
  }
  gradient_ = Tensor::zeros(table_.shape(), accumulation_type(table_.value().dtype()),
                            table_.value().device());
  rows_ = Var::parameter(table_.value(), gradient_);
}

void TokenTable::backward() {
  if (!table_.requires_grad()) return;
  const DType dtype = table_.value().dtype();
  lodestone::backward(table_, gradient_.dtype() == dtype ? gradient_ : gradient_.cast(dtype));
}

}  // namespace lodestone
