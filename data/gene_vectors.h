#pragma once
// Tables of one vector per gene, as other programs leave them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lodestone {

struct GeneVectors {
  std::string source;              // the file's name
  std::vector<std::string> genes;  // [rows] Ensembl ids or symbols
  std::int64_t width = 0;
  std::vector<float> values;  // [rows, width], finite
};

// By the name's end:
//   .npy           float32 or float64 [rows, width]; `genes` is a text file of one gene a line
//   .h5, .hdf5     datasets genes [rows] and vectors [rows, width]
//   anything else  tab-separated (plain or gzip): a header line, then gene and numbers
// Throws kBadInput, naming file and place, for shapes that do not agree, for numbers that are not
// finite and for a table without rows or columns.
GeneVectors read_gene_vectors(const std::filesystem::path& path,
                              const std::filesystem::path& genes = {});

}  // namespace lodestone
