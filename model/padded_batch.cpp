#include "model/padded_batch.h"

#include <algorithm>
#include <cmath>

namespace lodestone {

namespace {

constexpr std::int64_t kNotChosen = -100;

void check_sizes(const PaddedCells& p) {
  const auto all = static_cast<std::size_t>(p.cells * p.length);
  const auto expect = [](std::size_t got, std::size_t wanted, const char* name) {
    check_input(got == wanted, "{}: expected {} elements, found {}", name, wanted, got);
  };
  expect(p.input_ids.size(), all, "input_ids");
  expect(p.values.size(), all, "values");
  expect(p.attention_mask.size(), all, "attention_mask");
  expect(p.species.size(), static_cast<std::size_t>(p.cells), "species");
  if (!p.labels.empty()) expect(p.labels.size(), all, "labels");
  if (!p.labels.empty()) expect(p.label_values.size(), all, "label_values");
}

// Real genes of cell b.
std::int64_t real_length(const PaddedCells& p, std::int64_t b) {
  const auto begin = p.attention_mask.begin() + b * p.length, end = begin + p.length;
  const auto pads = std::find(begin, end, 0);
  check_input(std::all_of(begin, pads, [](std::int64_t m) { return m == 1; }) &&
                  std::all_of(pads, end, [](std::int64_t m) { return m == 0; }),
              "attention_mask: cell {} must be ones followed by zeros (right-padded)", b);
  check_input(pads != begin, "attention_mask: cell {} has no real gene", b);
  return pads - begin;
}

std::int32_t checked_id(std::int64_t id, std::int64_t vocabulary, const char* name, std::int64_t b,
                        std::int64_t k) {
  check_input(id >= 0 && id < vocabulary, "{}: {} at cell {}, position {}; expected 0 to {}", name,
              id, b, k, vocabulary - 1);
  return static_cast<std::int32_t>(id);
}

float checked_value(float value, const char* name, std::int64_t b, std::int64_t k) {
  check_input(std::isfinite(value), "{}: {} at cell {}, position {}; expected a finite number",
              name, value, b, k);
  return value;
}

}  // namespace

Batch pack(const PaddedCells& p, std::int64_t vocabulary, std::int64_t first_ordinal) {
  check_sizes(p);
  std::vector<std::int32_t> genes, species, rows, gene_labels;
  std::vector<float> values, value_labels;
  std::vector<std::int64_t> offsets{0}, ordinals;
  for (std::int64_t b = 0; b < p.cells; ++b) {
    const std::int64_t kind = p.species[static_cast<std::size_t>(b)];
    check_input(kind == 0 || kind == 1, "species: {} at cell {}; expected 0 or 1", kind, b);
    species.push_back(static_cast<std::int32_t>(kind));
    ordinals.push_back(first_ordinal + b);
    const std::int64_t length = real_length(p, b);
    for (std::int64_t k = 0; k < p.length; ++k) {
      const auto at = static_cast<std::size_t>(b * p.length + k);
      const bool chosen = !p.labels.empty() && p.labels[at] != kNotChosen;
      check_input(!chosen || k < length, "labels: cell {} has a label on the pad at position {}", b,
                  k);
      if (k >= length) continue;
      if (chosen) {
        rows.push_back(static_cast<std::int32_t>(genes.size()));
        gene_labels.push_back(checked_id(p.labels[at], vocabulary, "labels", b, k));
        value_labels.push_back(checked_value(p.label_values[at], "label_values", b, k));
      }
      genes.push_back(checked_id(p.input_ids[at], vocabulary, "input_ids", b, k));
      values.push_back(checked_value(p.values[at], "values", b, k));
    }
    offsets.push_back(static_cast<std::int64_t>(genes.size()));
  }
  return {Tensor::from(genes),       Tensor::from(values),      Tensor::from(offsets),
          Tensor::from(species),     Tensor::from(ordinals),    Tensor::from(rows),
          Tensor::from(gene_labels), Tensor::from(value_labels)};
}

Tensor unpack(const Tensor& rows, const Tensor& offsets, std::int64_t length) {
  const auto starts = offsets.host<std::int64_t>();
  const auto cells = static_cast<std::int64_t>(starts.size()) - 1;
  const std::int64_t columns = rows.shape()[1];
  Tensor padded = Tensor::zeros({cells, length, columns}, DType::kF32, Device::cpu());
  const Tensor rows_here = rows.to(Device::cpu());
  const auto from = rows_here.host<float>();
  const auto to = padded.host<float>();
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    check(starts[b + 1] - starts[b] <= length, "unpack: cell {} has {} rows, more than {}", b,
          starts[b + 1] - starts[b], length);
    std::copy(from.begin() + starts[b] * columns, from.begin() + starts[b + 1] * columns,
              to.begin() + static_cast<std::int64_t>(b) * length * columns);
  }
  return padded;
}

}  // namespace lodestone
