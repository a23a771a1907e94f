#include "model/published_names.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace lodestone {

namespace {

constexpr std::string_view kStacked = "query_key_value.";
constexpr std::array kStackedParts = {"query.", "key.", "value."};
constexpr std::string_view kConcatenation = "bert.embeddings.concat_embeddings.cat_fc.weight";
constexpr std::string_view kValueColumn = "bert.embeddings.concat_embeddings.cat_fc.value_weight";

std::int64_t columns_of(const Shape& shape) {
  return shape.rank() == 2 ? shape[1] : 1;
}

PublishedTensor same(const Parameter& p) {
  return {p.name, p.shape, {{&p, 0, 0, 0, 0, p.shape[0], columns_of(p.shape)}}, {}};
}

// Rows part * H .. (part + 1) * H of a stacked weight or bias.
PublishedTensor stacked_part(const Parameter& p, std::size_t part) {
  const std::int64_t rows = p.shape[0] / static_cast<std::int64_t>(kStackedParts.size());
  const std::int64_t columns = columns_of(p.shape);
  PublishedTensor t;
  t.name = p.name;
  t.name.replace(t.name.find(kStacked), kStacked.size(), kStackedParts[part]);
  t.shape = p.shape.rank() == 2 ? Shape{rows, columns} : Shape{rows};
  t.pieces = {{&p, 0, 0, static_cast<std::int64_t>(part) * rows, 0, rows, columns}};
  return t;
}

// [word | value | priors]: the value's column stands after the word's H columns.
PublishedTensor concatenation(const Parameter& p, const Parameter* value) {
  const std::int64_t H = p.shape[0], columns = p.shape[1], shift = value ? 1 : 0;
  PublishedTensor t;
  t.name = p.name;
  t.shape = {H, columns + shift};
  t.pieces = {{&p, 0, 0, 0, 0, H, H}};
  if (value) t.pieces.push_back({value, 0, H, 0, 0, H, 1});
  if (columns > H) t.pieces.push_back({&p, 0, H + shift, 0, H, H, columns - H});
  return t;
}

template <class T, class Copy>
void for_each_row(const PublishedTensor& layout, const Tensor& flat, Copy&& copy) {
  const std::int64_t published_columns = columns_of(layout.shape);
  for (const Piece& piece : layout.pieces) {
    Tensor ours = flat.slice(piece.parameter->offset, piece.parameter->shape);
    const std::int64_t our_columns = columns_of(piece.parameter->shape);
    for (std::int64_t r = 0; r < piece.rows; ++r) {
      const std::int64_t theirs_at =
          (piece.published_row + r) * published_columns + piece.published_column;
      const std::int64_t ours_at = (piece.parameter_row + r) * our_columns + piece.parameter_column;
      copy(ours.host<T>().data() + ours_at, theirs_at, piece.columns);
    }
  }
}

}  // namespace

std::vector<PublishedTensor> published_layout(const ParameterStore& store,
                                              const ModelConfig& config) {
  std::vector<PublishedTensor> layout;
  const Parameter* value_column = nullptr;
  for (const Parameter& p : store.parameters())
    if (p.name == kValueColumn) value_column = &p;
  for (const Parameter& p : store.parameters()) {
    if (p.name == kValueColumn) continue;
    if (p.name == kConcatenation) {
      layout.push_back(concatenation(p, value_column));
    } else if (p.name.find(kStacked) != std::string::npos) {
      for (std::size_t part = 0; part < kStackedParts.size(); ++part)
        layout.push_back(stacked_part(p, part));
    } else {
      layout.push_back(same(p));
    }
  }
  for (PublishedTensor& t : layout) {
    if (t.name == "bert.embeddings.word_embeddings.weight" && config.tie_word_embeddings)
      t.aliases = {"cls.predictions.decoder.weight"};
    if (t.name == "cls.predictions.bias") t.aliases = {"cls.predictions.decoder.bias"};
    if (t.name == "cls4value.predictions.bias") t.aliases = {"cls4value.predictions.decoder.bias"};
  }
  return layout;
}

void scatter_published(const PublishedTensor& layout, const Tensor& published, const Tensor& flat) {
  const auto visit = [&]<class Ours, class Theirs>(std::span<const Theirs> theirs, Ours) {
    for_each_row<Ours>(layout, flat, [&](Ours* to, std::int64_t at, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i)
        to[i] = static_cast<Ours>(theirs[static_cast<std::size_t>(at + i)]);
    });
  };
  const bool ours_f64 = flat.dtype() == DType::kF64;
  if (published.dtype() == DType::kF64)
    ours_f64 ? visit(published.host<double>(), double{}) : visit(published.host<double>(), float{});
  else
    ours_f64 ? visit(published.host<float>(), double{}) : visit(published.host<float>(), float{});
}

Tensor gather_published(const PublishedTensor& layout, const Tensor& flat) {
  const DType dtype = flat.dtype();
  Tensor published = Tensor::empty(layout.shape, dtype, Device::cpu());
  const auto gather = [&]<class T>(T) {
    T* const to = static_cast<T*>(published.data());
    for_each_row<T>(layout, flat, [&](const T* from, std::int64_t at, std::int64_t n) {
      std::copy(from, from + n, to + at);
    });
  };
  dtype == DType::kF64 ? gather(double{}) : gather(float{});
  return published;
}

}  // namespace lodestone
