#include "tools/report/embedding_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/cell_source.h"
#include "engine/core/check.h"
#include "engine/io/hdf5.h"
#include "train/principal_components.h"

namespace lodestone::tools {
namespace {

constexpr std::int64_t kMostCells = 50'000;
constexpr std::int64_t kBlockCells = 4096;

struct Sample {
  std::vector<std::int64_t> cells;  // ascending
  std::vector<float> rows;
  std::int64_t all = 0, columns = 0;
};

Sample read_sample(const std::filesystem::path& file, const std::string& name) {
  const hdf5::File h5 = hdf5::File::open(file);
  const std::string place = "obsm/" + name;
  check_input(h5.has_dataset(place), "{}: has no {}; give a file that `lodestone embed` wrote",
              file.string(), place);
  const hdf5::Dataset matrix = h5.dataset(place);
  const std::vector<std::int64_t> shape = matrix.shape();
  check_input(shape.size() == 2 && shape[0] >= 2 && shape[1] >= 2,
              "{}: {} must be a matrix of at least 2 cells and 2 columns", file.string(), place);
  Sample sample{{}, {}, shape[0], shape[1]};
  const std::int64_t wanted = std::min(sample.all, kMostCells);
  for (std::int64_t i = 0; i < wanted; ++i) sample.cells.push_back(i * sample.all / wanted);
  auto next = sample.cells.begin();
  for (std::int64_t begin = 0; begin < sample.all; begin += kBlockCells) {
    const std::int64_t end = std::min(sample.all, begin + kBlockCells);
    const std::vector<float> block = matrix.read_rows<float>(begin, end);
    for (; next != sample.cells.end() && *next < end; ++next) {
      const auto row = block.begin() + (*next - begin) * sample.columns;
      sample.rows.insert(sample.rows.end(), row, row + sample.columns);
    }
  }
  for (std::size_t i = 0; i < sample.rows.size(); ++i)
    check_input(std::isfinite(sample.rows[i]), "{}: {} has a value that is not finite in cell {}",
                file.string(), place, sample.cells[i / static_cast<std::size_t>(sample.columns)]);
  return sample;
}

ScatterChart scatter_of(const Sample& sample, const PrincipalComponents& pca) {
  ScatterChart chart;
  const auto label = [&](std::size_t k) {
    const double share =
        pca.total_variance > 0 ? 100 * pca.explained_variance[k] / pca.total_variance : 0;
    return fmt::format("principal component {} ({:.1f} % of the variance)", k + 1, share);
  };
  chart.x.label = label(0);
  chart.y.label = label(1);
  for (std::size_t i = 0; i < sample.cells.size(); ++i) {
    chart.x_values.push_back(pca.scores[2 * i]);
    chart.y_values.push_back(pca.scores[2 * i + 1]);
  }
  return chart;
}

}  // namespace

EmbeddingFigures embedding_figures(const std::filesystem::path& file, const std::string& name,
                                   const std::vector<std::string>& colour_by) {
  const Sample sample = read_sample(file, name);
  const PrincipalComponents pca = principal_components(sample.rows, sample.columns, 2);
  const auto source = open_cells(file, {.allow_noninteger = true});
  check_input(source->cells() == sample.all, "{}: obsm/{} has {} rows for {} cells", file.string(),
              name, sample.all, source->cells());
  EmbeddingFigures result;
  result.cells = sample.all;
  result.columns = sample.columns;
  result.shown = static_cast<std::int64_t>(sample.cells.size());
  for (const std::string& wanted : colour_by) {
    const auto column = std::find_if(source->obs().begin(), source->obs().end(),
                                     [&](const ObsColumn& obs) { return obs.name == wanted; });
    if (column == source->obs().end()) {
      result.absent.push_back(wanted);
      continue;
    }
    ScatterChart chart = scatter_of(sample, pca);
    chart.title = "Cells by " + wanted;
    chart.names = column->categories;
    for (std::int64_t cell : sample.cells)
      chart.categories.push_back(column->codes[static_cast<std::size_t>(cell)]);
    result.figures.emplace_back(wanted, draw(chart));
  }
  if (result.figures.empty()) {
    ScatterChart chart = scatter_of(sample, pca);
    chart.title = "Cells";
    result.figures.emplace_back("cells", draw(chart));
  }
  return result;
}

}  // namespace lodestone::tools
