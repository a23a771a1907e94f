#pragma once
// Published checkpoints name and shape some parameters otherwise than we store them: query, key and
// value are one stacked matrix here, and the value's column of cat_fc stands alone. Each published
// tensor is a set of rectangles of our parameters.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/parameter_store.h"
#include "model/config.h"

namespace lodestone {

// A rectangle that a published tensor and a parameter share. Both are seen as matrices: [n] as
// [n, 1].
struct Piece {
  const Parameter* parameter;
  std::int64_t published_row, published_column;
  std::int64_t parameter_row, parameter_column;
  std::int64_t rows, columns;
};

struct PublishedTensor {
  std::string name;
  Shape shape;
  std::vector<Piece> pieces;
  std::vector<std::string> aliases;  // other names of the same storage in published files
};

// Every parameter of the store, in the order and under the names of published checkpoints.
std::vector<PublishedTensor> published_layout(const ParameterStore& store,
                                              const ModelConfig& config);

// Copies between a published tensor (f32 or f64, its shape) and its pieces of a flat buffer on the
// CPU that is laid out as the store's: its masters or gradients.
void scatter_published(const PublishedTensor& layout, const Tensor& published, const Tensor& flat);
Tensor gather_published(const PublishedTensor& layout, const Tensor& flat);

}  // namespace lodestone
