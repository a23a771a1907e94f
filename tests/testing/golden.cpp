#include "tests/testing/golden.h"

#include <algorithm>
#include <cstdlib>

namespace lodestone::testing {

std::filesystem::path shared_directory() {
  const char* named = std::getenv("LODESTONE_SHARED");
  return named ? named : "../shared";
}

std::filesystem::path golden_directory() {
  if (const char* named = std::getenv("GOLDEN_DIR")) return named;
  const auto beside = shared_directory() / "golden/small";
  return std::filesystem::exists(beside) ? beside : std::filesystem::path("tests/golden/odd");
}

Tensor read_tensor(const hdf5::Group& group, const std::string& name) {
  const hdf5::Dataset dataset = group.dataset(name);
  return Tensor::from(dataset.read<float>()).view(Shape(dataset.shape()));
}

double read_scalar(const hdf5::Group& group, const std::string& name) {
  return group.dataset(name).read<double>()[0];
}

PaddedCells read_cells(const hdf5::Group& group, bool with_labels, const std::string& ids,
                       const std::string& values) {
  PaddedCells cells;
  const std::vector<std::int64_t> shape = group.dataset(ids).shape();
  cells.cells = shape[0];
  cells.length = shape[1];
  cells.input_ids = group.dataset(ids).read<std::int64_t>();
  cells.values = group.dataset(values).read<float>();
  cells.attention_mask = group.dataset("attention_mask").read<std::int64_t>();
  cells.species = group.dataset("species").read<std::int64_t>();
  if (with_labels) {
    cells.labels = group.dataset("labels").read<std::int64_t>();
    cells.label_values = group.dataset("label_values").read<float>();
  }
  return cells;
}

Tensor real_rows(const Tensor& padded, const Tensor& offsets) {
  const auto starts = offsets.host<std::int64_t>();
  const std::int64_t length = padded.shape()[1];
  const std::int64_t columns = padded.numel() / (padded.shape()[0] * length);
  Tensor rows = Tensor::empty({starts.back(), columns}, DType::kF32, Device::cpu());
  const auto from = padded.host<float>();
  const auto to = rows.host<float>();
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    const auto begin = from.begin() + static_cast<std::int64_t>(b) * length * columns;
    std::copy(begin, begin + (starts[b + 1] - starts[b]) * columns,
              to.begin() + starts[b] * columns);
  }
  return rows;
}

}  // namespace lodestone::testing
