#pragma once
// A file of cells after quality control, on its way through the passes of data/tokenizer.cpp.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/cell_source.h"
#include "data/gene_mapping.h"
#include "data/quality_control.h"
#include "data/tokenize_report.h"

namespace lodestone {

struct CheckedFile {
  CellSource* source;
  GeneMapping mapping;
  QualityControl quality;
  FileReport report;
  std::int64_t first_cell = 0;  // cells of all files before this one
  std::int64_t first_kept = 0;  // of these, kept
};

// How far all passes are.
struct Passes {
  const std::function<void(std::int64_t done, std::int64_t total)>& report;
  std::int64_t total = 0, done = 0;
  void advance(std::int64_t cells) {
    done += cells;
    if (report) report(done, total);
  }
};

struct CellView {
  std::span<const std::int32_t> genes;  // columns of the file
  std::span<const float> counts;
};

inline CellView view(const CellBlock& block, std::int64_t cell) {
  const auto begin = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell)]);
  const auto end = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell) + 1]);
  return {std::span(block.genes).subspan(begin, end - begin),
          std::span(block.counts).subspan(begin, end - begin)};
}

// Calls use(block, its cells that are kept) for every block of a file from cell `begin` on, in
// order, at most `most` cells at a time; a block without any is not read.
template <class Use>
void for_each_block(CheckedFile& file, std::int64_t begin, std::int64_t most, Passes& passes,
                    Use&& use) {
  CellSource& source = *file.source;
  const std::int64_t step = std::min(source.block_cells(), most);
  for (; begin < source.cells(); begin += step) {
    const std::int64_t end = std::min(source.cells(), begin + step);
    std::vector<std::int64_t> kept;
    for (std::int64_t cell = begin; cell < end; ++cell)
      if (file.quality.verdicts[static_cast<std::size_t>(cell)] == Verdict::kKept)
        kept.push_back(cell - begin);
    if (!kept.empty()) use(source.read(begin, end), kept);
    passes.advance(end - begin);
  }
}

}  // namespace lodestone
