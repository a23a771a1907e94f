#include "tools/report/embedding_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "data/cell_source.h"
#include "engine/core/check.h"
#include "engine/io/hdf5.h"
#include "train/principal_components.h"

namespace lodestone::tools {
namespace {

constexpr std::int64_t kMostCells = 50'000;
constexpr std::int64_t kBlockCells = 4096;

// The cells of one file that are drawn, ascending.
struct Drawn {
  std::filesystem::path file;
  std::vector<std::int64_t> cells;
};

struct Sample {
  std::vector<Drawn> files;
  std::vector<float> rows;  // of all files
  std::int64_t all = 0, shown = 0, columns = 0;
};

// Adds at most `most` cells of a file, evenly spaced.
void add_file(const std::filesystem::path& file, const std::string& name, std::int64_t most,
              Sample& sample) {
  const hdf5::File h5 = hdf5::File::open(file);
  const std::string place = "obsm/" + name;
  check_input(h5.has_dataset(place), "{}: has no {}; give a file that `lodestone embed` wrote",
              file.string(), place);
  const hdf5::Dataset matrix = h5.dataset(place);
  const std::vector<std::int64_t> shape = matrix.shape();
  check_input(shape.size() == 2 && shape[0] >= 2 && shape[1] >= 2,
              "{}: {} must be a matrix of at least 2 cells and 2 columns", file.string(), place);
  check_input(sample.files.empty() || shape[1] == sample.columns,
              "{}: {} has {} columns, that of {} has {}; embed them with one model", file.string(),
              place, shape[1], sample.files.empty() ? "" : sample.files[0].file.string(),
              sample.columns);
  Drawn drawn{file, {}};
  const std::int64_t wanted = std::min(shape[0], most);
  for (std::int64_t i = 0; i < wanted; ++i) drawn.cells.push_back(i * shape[0] / wanted);
  const std::size_t before = sample.rows.size();
  auto next = drawn.cells.begin();
  for (std::int64_t begin = 0; begin < shape[0]; begin += kBlockCells) {
    const std::int64_t end = std::min(shape[0], begin + kBlockCells);
    const std::vector<float> block = matrix.read_rows<float>(begin, end);
    for (; next != drawn.cells.end() && *next < end; ++next) {
      const auto row = block.begin() + (*next - begin) * shape[1];
      sample.rows.insert(sample.rows.end(), row, row + shape[1]);
    }
  }
  for (std::size_t i = before; i < sample.rows.size(); ++i)
    check_input(std::isfinite(sample.rows[i]), "{}: {} has a value that is not finite in cell {}",
                file.string(), place,
                drawn.cells[(i - before) / static_cast<std::size_t>(shape[1])]);
  sample.all += shape[0];
  sample.shown += wanted;
  sample.columns = shape[1];
  sample.files.push_back(std::move(drawn));
}

// Labels of the cells drawn, as categories over all files.
struct Labels {
  std::vector<std::string> names;
  std::vector<std::int32_t> codes;  // -1 = missing
};

// Empty when no file has the column.
Labels labels_of(const Sample& sample, std::span<const std::unique_ptr<CellSource>> sources,
                 const std::string& wanted) {
  Labels labels;
  std::map<std::string, std::int32_t> code_of;
  for (std::size_t f = 0; f < sources.size(); ++f) {
    const auto& columns = sources[f]->obs();
    const auto column = std::find_if(columns.begin(), columns.end(),
                                     [&](const ObsColumn& obs) { return obs.name == wanted; });
    for (const std::int64_t cell : sample.files[f].cells) {
      const std::int32_t own =
          column == columns.end() ? -1 : column->codes[static_cast<std::size_t>(cell)];
      if (own < 0) {
        labels.codes.push_back(-1);
        continue;
      }
      const std::string& name = column->categories[static_cast<std::size_t>(own)];
      const auto [found, is_new] =
          code_of.emplace(name, static_cast<std::int32_t>(labels.names.size()));
      if (is_new) labels.names.push_back(name);
      labels.codes.push_back(found->second);
    }
  }
  return labels;
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
  for (std::size_t i = 0; i < static_cast<std::size_t>(sample.shown); ++i) {
    chart.x_values.push_back(pca.scores[2 * i]);
    chart.y_values.push_back(pca.scores[2 * i + 1]);
  }
  return chart;
}

}  // namespace

EmbeddingFigures embedding_figures(std::span<const std::filesystem::path> files,
                                   const std::string& name,
                                   const std::vector<std::string>& colour_by) {
  Sample sample;
  std::vector<std::unique_ptr<CellSource>> sources;
  for (const std::filesystem::path& file : files) {
    add_file(file, name, kMostCells / static_cast<std::int64_t>(files.size()), sample);
    sources.push_back(open_cells(file, {.allow_noninteger = true}));
  }
  const PrincipalComponents pca = principal_components(sample.rows, sample.columns, 2);
  EmbeddingFigures result{sample.all, sample.columns, sample.shown, {}, {}};
  for (const std::string& wanted : colour_by) {
    Labels labels = labels_of(sample, sources, wanted);
    if (labels.names.empty()) {
      result.absent.push_back(wanted);
      continue;
    }
    ScatterChart chart = scatter_of(sample, pca);
    chart.title = "Cells by " + wanted;
    chart.names = std::move(labels.names);
    chart.categories = std::move(labels.codes);
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
