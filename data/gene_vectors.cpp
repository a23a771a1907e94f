#include "data/gene_vectors.h"

#include <cmath>
#include <sstream>
#include <utility>

#include "data/npy.h"
#include "data/table_file.h"
#include "engine/core/check.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

std::vector<std::string> read_gene_list(const std::filesystem::path& path) {
  std::vector<std::string> genes;
  std::istringstream lines(read_text(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    genes.push_back(std::move(line));
  }
  return genes;
}

GeneVectors from_npy(const std::filesystem::path& path, const std::filesystem::path& genes) {
  check(!genes.empty(), "{}: an npy file has no gene names; give a text file of one gene a line",
        path.string());
  Matrix matrix = read_npy(path);
  GeneVectors vectors{"", read_gene_list(genes), matrix.columns, std::move(matrix.values)};
  check_input(static_cast<std::int64_t>(vectors.genes.size()) == matrix.rows,
              "{}: has {} lines, expected one per row of {}, which has {}", genes.string(),
              vectors.genes.size(), path.string(), matrix.rows);
  return vectors;
}

GeneVectors from_hdf5(const std::filesystem::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  const hdf5::Dataset genes = file.dataset("genes"), vectors = file.dataset("vectors");
  const auto shape = vectors.shape();
  check_input(shape.size() == 2 && shape[0] == genes.size(),
              "{}: vectors has shape [{}], expected [{}, width], one row per gene", path.string(),
              fmt::join(shape, ", "), genes.size());
  return {"", genes.read_texts(), shape[1], vectors.read<float>()};
}

GeneVectors from_table(const std::filesystem::path& path) {
  TableFile table(path);
  const int columns = static_cast<int>(table.header().size());
  GeneVectors vectors;
  vectors.width = columns - 1;
  while (table.next()) {
    vectors.genes.push_back(table.field(0));
    for (int column = 1; column < columns; ++column)
      vectors.values.push_back(static_cast<float>(table.number(column)));
  }
  return vectors;
}

}  // namespace

GeneVectors read_gene_vectors(const std::filesystem::path& path,
                              const std::filesystem::path& genes) {
  const std::string end = path.extension().string();
  GeneVectors vectors = end == ".npy"                    ? from_npy(path, genes)
                        : end == ".h5" || end == ".hdf5" ? from_hdf5(path)
                                                         : from_table(path);
  check_input(!vectors.genes.empty() && vectors.width > 0,
              "{}: has {} genes and vectors of {} numbers, expected at least one of both",
              path.string(), vectors.genes.size(), vectors.width);
  for (std::size_t i = 0; i < vectors.values.size(); ++i) {
    const auto width = static_cast<std::size_t>(vectors.width);
    check_input(std::isfinite(vectors.values[i]),
                "{}: the vector of {} has {} at place {}, expected finite numbers", path.string(),
                vectors.genes[i / width], vectors.values[i], i % width);
  }
  vectors.source = path.filename().string();
  return vectors;
}

}  // namespace lodestone
