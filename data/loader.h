#pragma once
// From a token directory to batches. The cells of a global batch are a pure function of (seed,
// epoch, step); micro-batches only cut it. What was masked in a cell is a pure function of
// (seed, cell, epoch), so nothing depends on threads, micro-batches or ranks.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/token_directory.h"
#include "model/batch.h"

namespace lodestone {

struct LoaderConfig {
  std::int64_t batch_cells = 32;  // cells of a global batch
  std::int64_t micro_batch_tokens =
      8192;                        // a micro-batch holds at most this many, but at least one cell
  std::int64_t max_length = 2048;  // genes of a cell that are kept, the highest first
  double mask_probability = 0.15;
  std::uint64_t seed = 42;  // order of cells and masks; the run's seed, not a setting of its own
  int prefetch = 2;         // global batches made ahead by a thread; 0 = none

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("batch_cells", batch_cells, "cells of a global batch");
    visit("micro_batch_tokens", micro_batch_tokens, "most tokens computed at once");
    visit("max_length", max_length, "genes kept of a cell, the highest values first");
    visit("mask_probability", mask_probability, "share of a cell's genes chosen for the loss");
    visit("prefetch", prefetch, "global batches made ahead");
  }
};

// Where a run stands: all there is to resume. Steps per epoch = cells / batch_cells, rounded down
// (at least 1); the remainder of an epoch's order is left out of that epoch.
struct LoaderState {
  std::int64_t epoch = 0;
  std::int64_t step = 0;  // within the epoch
};

struct GlobalBatch {
  std::vector<Batch> micro_batches;                // on the CPU, in order
  std::int64_t cells = 0, tokens = 0, chosen = 0;  // of the whole
  LoaderState at;                                  // its place
  double wait_seconds = 0;                         // how long next() waited for it
};

// What masking did to one cell (spec section 4): mask_probability of the positions are chosen,
// independently; of the chosen 80 % show kMaskToken and value -1, 10 % a uniform random id of the
// whole vocabulary and value -1, 10 % stay.
struct MaskedCell {
  std::vector<std::int32_t> genes;      // [length] as shown
  std::vector<float> values;            // [length] as shown
  std::vector<std::int32_t> positions;  // [chosen] ascending
};
// `cell` is the cell's index in its token directory.
MaskedCell mask_cell(const CellTokens& cell, std::int64_t length, std::int64_t cell_index,
                     std::int64_t epoch, double probability, std::int64_t vocabulary_size,
                     std::uint64_t seed);

// The batch of the given cells, masked for `epoch`, ordinals counting from first_ordinal.
// probability 0 makes an unmasked batch (for embeddings).
Batch make_batch(const TokenDirectory& cells, const std::vector<std::int64_t>& indices,
                 std::int64_t first_ordinal, std::int64_t epoch, const LoaderConfig& config);

// The same into memory of the caller's: `genes` and `values` are [length], chosen positions are
// appended to `positions`.
void mask_cell(const CellTokens& cell, std::int64_t cell_index, std::int64_t epoch,
               double probability, std::int64_t vocabulary_size, std::uint64_t seed,
               std::span<std::int32_t> genes, std::span<float> values,
               std::vector<std::int32_t>& positions);

// Cells split by a hash of (seed, cell index): the share `held_out` of them is held out.
struct Split {
  std::vector<std::int64_t> training, held_out;  // ascending cell indices
};
Split split_cells(std::int64_t cells, double held_out, std::uint64_t seed);

class Loader {
 public:
  // `subset`: the cell indices to draw from (training cells). `cells` must outlive the loader.
  Loader(const TokenDirectory& cells, std::vector<std::int64_t> subset, LoaderConfig config,
         LoaderState start = {});
  ~Loader();
  GlobalBatch next();
  LoaderState state() const;  // of the batch that next() will give
  std::int64_t steps_per_epoch() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lodestone
