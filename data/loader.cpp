#include "data/loader.h"

#include <algorithm>
#include <chrono>

#include "data/packed_cells.h"
#include "data/permutation.h"
#include "data/prefetcher.h"
#include "engine/core/check.h"
#include "engine/core/philox.h"

namespace lodestone {

namespace {

// Which random op of an epoch the order of its cells is; masking is another (data/masking.cpp).
constexpr std::uint32_t kOrderOp = 0;
// The split does not depend on the epoch.
constexpr std::uint32_t kSplitOp = 2;

// row_key() of engine/core/philox.h has 20 bits for a position.
constexpr std::int64_t kMostPositions = std::int64_t{1} << 20;

void check_config(const LoaderConfig& config, const LoaderState& start) {
  check(config.batch_cells > 0, "loader: batch_cells must be above 0, is {}", config.batch_cells);
  check(config.micro_batch_tokens > 0, "loader: micro_batch_tokens must be above 0, is {}",
        config.micro_batch_tokens);
  check(config.max_length > 0 && config.max_length < kMostPositions,
        "loader: max_length must be in [1, {}), is {}", kMostPositions, config.max_length);
  check(config.mask_probability >= 0 && config.mask_probability <= 1,
        "loader: mask_probability must be in [0, 1], is {}", config.mask_probability);
  check(config.prefetch >= 0, "loader: prefetch must not be negative, is {}", config.prefetch);
  check(start.epoch >= 0 && start.step >= 0, "loader: cannot start at epoch {}, step {}",
        start.epoch, start.step);
}

// A global batch in plain memory.
struct PackedBatch {
  std::vector<PackedCells> micro_batches;
  LoaderState at;
};

// Makes the batches of a run in order.
class BatchMaker {
 public:
  BatchMaker(const TokenDirectory& cells, std::vector<std::int64_t> subset,
             const LoaderConfig& config, LoaderState start)
      : cells_(cells), subset_(std::move(subset)), config_(config), at_(start) {
    check_config(config, start);
    check(!subset_.empty(), "loader: {} has no cells to draw from", cells.path().native());
    for (const std::int64_t cell : subset_)
      check(cell >= 0 && cell < cells.cells(), "loader: {} has no cell {}; it holds {}",
            cells.path().native(), cell, cells.cells());
    check(at_.step < steps_per_epoch(), "loader: cannot start at step {} of an epoch of {} steps",
          at_.step, steps_per_epoch());
  }

  std::int64_t steps_per_epoch() const {
    return std::max<std::int64_t>(static_cast<std::int64_t>(subset_.size()) / config_.batch_cells,
                                  1);
  }
  LoaderState after(LoaderState at) const {
    return at.step + 1 < steps_per_epoch() ? LoaderState{at.epoch, at.step + 1}
                                           : LoaderState{at.epoch + 1, 0};
  }

  PackedBatch next() {
    if (order_epoch_ != at_.epoch) {
      order_ = permutation_of(
          static_cast<std::int64_t>(subset_.size()),
          RandomKey::derive(config_.seed, static_cast<std::uint64_t>(at_.epoch), kOrderOp));
      order_epoch_ = at_.epoch;
    }
    const std::int64_t begin = at_.step * config_.batch_cells;
    const std::int64_t end =
        std::min(begin + config_.batch_cells, static_cast<std::int64_t>(subset_.size()));
    std::vector<std::int64_t> indices;
    for (std::int64_t i = begin; i < end; ++i)
      indices.push_back(subset_[static_cast<std::size_t>(order_[static_cast<std::size_t>(i)])]);
    PackedBatch batch{cut(indices), at_};
    at_ = after(at_);
    return batch;
  }

 private:
  std::int64_t kept_length(std::int64_t cell) const {
    return std::min(cells_.length(cell), config_.max_length);
  }

  // Into micro-batches: cells in order, as many as fit the budget.
  std::vector<PackedCells> cut(const std::vector<std::int64_t>& indices) const {
    std::vector<PackedCells> parts;
    for (std::size_t begin = 0; begin < indices.size();) {
      std::size_t end = begin;
      std::int64_t tokens = 0;
      while (end < indices.size() &&
             (end == begin || tokens + kept_length(indices[end]) <= config_.micro_batch_tokens))
        tokens += kept_length(indices[end++]);
      const std::vector<std::int64_t> part(indices.begin() + static_cast<std::ptrdiff_t>(begin),
                                           indices.begin() + static_cast<std::ptrdiff_t>(end));
      parts.push_back(
          pack_cells(cells_, part, static_cast<std::int64_t>(begin), at_.epoch, config_));
      begin = end;
    }
    return parts;
  }

  const TokenDirectory& cells_;
  std::vector<std::int64_t> subset_;
  LoaderConfig config_;
  LoaderState at_;
  std::vector<std::int64_t> order_;  // of order_epoch_, into subset_
  std::int64_t order_epoch_ = -1;
};

}  // namespace

Split split_cells(std::int64_t cells, double held_out, std::uint64_t seed) {
  check(held_out >= 0 && held_out < 1, "split: the held-out share must be in [0, 1), is {}",
        held_out);
  const auto key = RandomKey::derive(seed, 0, kSplitOp);
  Split split;
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    const PhiloxBlock words = key.at(static_cast<std::uint64_t>(cell), 0);
    (uniform(words[0], words[1]) < held_out ? split.held_out : split.training).push_back(cell);
  }
  return split;
}

struct Loader::Impl {
  BatchMaker maker;
  LoaderState state;
  std::unique_ptr<Prefetcher<PackedBatch>> prefetcher;  // null without prefetching
};

Loader::Loader(const TokenDirectory& cells, std::vector<std::int64_t> subset, LoaderConfig config,
               LoaderState start)
    : impl_(new Impl{BatchMaker(cells, std::move(subset), config, start), start, nullptr}) {
  if (config.prefetch > 0)
    impl_->prefetcher = std::make_unique<Prefetcher<PackedBatch>>(
        [maker = &impl_->maker] { return maker->next(); }, config.prefetch);
}

Loader::~Loader() = default;

GlobalBatch Loader::next() {
  const auto start = std::chrono::steady_clock::now();
  const PackedBatch packed = impl_->prefetcher ? impl_->prefetcher->take() : impl_->maker.next();
  GlobalBatch batch;
  batch.at = packed.at;
  batch.wait_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const PackedCells& part : packed.micro_batches) {
    const Batch& made = batch.micro_batches.emplace_back(to_batch(part));
    batch.cells += made.cells();
    batch.tokens += made.tokens();
    batch.chosen += made.chosen();
  }
  impl_->state = impl_->maker.after(batch.at);
  return batch;
}

LoaderState Loader::state() const {
  return impl_->state;
}

std::int64_t Loader::steps_per_epoch() const {
  return impl_->maker.steps_per_epoch();
}

}  // namespace lodestone
