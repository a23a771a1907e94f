#pragma once
#include <filesystem>
#include <span>
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

// The first two principal components of obsm/NAME of h5ad files (one or more) together, once for
// each obs column that is there (without colours when none is). Throws kBadInput when a matrix is
// absent, has fewer than two rows or columns, another width than the others or a value that is not
// finite.
EmbeddingFigures embedding_figures(std::span<const std::filesystem::path> files,
                                   const std::string& name,
                                   const std::vector<std::string>& colour_by);

}  // namespace lodestone::tools
