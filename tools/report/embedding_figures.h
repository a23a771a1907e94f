#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tools/report/svg.h"

namespace lodestone::tools {

struct EmbeddingFigures {
  std::int64_t cells = 0, columns = 0;
  std::int64_t shown = 0;  // cells drawn, evenly spaced, at most 50,000
  std::vector<std::pair<std::string, Figure>> figures;  // by obs column
  std::vector<std::string> absent;                      // columns asked for that the file lacks
};

// The first two principal components of obsm/NAME of an h5ad file, once for each obs column that is
// there (without colours when none is). Throws kBadInput when the matrix is absent, has not one row
// a cell, fewer than two columns or a value that is not finite.
EmbeddingFigures embedding_figures(const std::filesystem::path& file, const std::string& name,
                                   const std::vector<std::string>& colour_by);

}  // namespace lodestone::tools
