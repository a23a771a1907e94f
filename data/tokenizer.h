#pragma once
// From count matrices to a token directory.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "data/tokenize_report.h"
#include "data/vocabulary.h"

namespace lodestone {

struct TokenizeConfig {
  std::string medians = "auto";
  std::string species = "auto";
  bool normalise_total = false;
  double target_total = 10000;
  std::int64_t max_length = 2048;
  double z_score = 3;
  std::int64_t min_coding_genes = 7;
  double min_mapped = 0.5;
  std::vector<std::string> obs = {"auto"};
  std::int64_t cells_per_shard = 65536;
  std::int64_t save_cells = 20000;
  std::uint64_t seed = 0;  // of the order in which cells are spread over shards; the caller's own

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("medians", medians,
          "fit | vocabulary | a table of gene and median; auto = the vocabulary's if it has any");
    visit("species", species, "of all cells: auto | human | mouse; auto = each file's own");
    visit("normalise_total", normalise_total, "divide counts by the cell's total first");
    visit("target_total", target_total, "total of a cell after that");
    visit("max_length", max_length, "genes kept of a cell, the highest values first");
    visit("z_score", z_score,
          "cells whose total or mitochondrial share is further out are dropped");
    visit("min_coding_genes", min_coding_genes,
          "expressed protein-coding or miRNA genes that a cell must have");
    visit("min_mapped", min_mapped, "share of a file's counts that the vocabulary must cover");
    visit("obs", obs, "cell labels to keep; auto = every column of at most 1000 labels");
    visit("cells_per_shard", cells_per_shard, "cells of a shard");
    visit("save_cells", save_cells, "cells after which a run that is cut short can continue");
  }
};

// Called now and then; the total counts every pass over the cells.
using TokenizeProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// Tokenises every cell of `files` into a new token directory at `out` (published whole; one that
// exists is replaced only if `replace`), after quality control per file. Medians, when fitted, are
// over the kept cells of all files; they are set in `vocabulary`, which is written to
// `out`/vocab.json as it was used. A run that was killed, or met a full disk or a bad one, leaves
// its finished work in `out`.partial; the same call continues from there, with the same result. obs
// columns "dataset" (the file's name without extension, unless the file has the column) and
// "species" are always written. Throws kInvalidArgument for settings, kBadInput for files that
// cannot be used and when no cell is left.
TokenizeReport tokenize(std::span<const std::unique_ptr<CellSource>> files, Vocabulary& vocabulary,
                        const TokenizeConfig& config, const std::filesystem::path& out,
                        bool replace, const TokenizeProgress& progress = {});

}  // namespace lodestone
