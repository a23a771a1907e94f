#include "bench/op_case.h"

#include <algorithm>
#include <numeric>

namespace lodestone::bench {

namespace {

std::vector<std::int32_t> identity(std::int64_t size) {
  std::vector<std::int32_t> index(static_cast<std::size_t>(size));
  std::iota(index.begin(), index.end(), 0);
  return index;
}

Tensor with_cls(const Tensor& offsets) {
  Tensor shifted = offsets.clone();
  std::int64_t cell = 0;
  for (std::int64_t& offset : shifted.host<std::int64_t>()) offset += cell++;
  return shifted;
}

Tensor offsets_of_chosen(const Batch& batch) {
  const auto rows = batch.masked_rows.host<std::int32_t>();
  Tensor chosen = batch.offsets.clone();
  for (std::int64_t& offset : chosen.host<std::int64_t>())
    offset = std::lower_bound(rows.begin(), rows.end(), offset) - rows.begin();
  return chosen;
}

}  // namespace

OpInputs::OpInputs(const ModelConfig& shape, Batch cells, DType compute, Device where)
    : model(shape),
      batch(std::move(cells)),
      pairs({&batch, 1}, identity(shape.vocabulary), shape.vocabulary),
      dtype(compute),
      device(where),
      N(batch.tokens()),
      B(batch.cells()),
      R(N + B),
      M(batch.chosen()),
      U(pairs.ids().numel()),
      H(shape.hidden),
      V(shape.vocabulary),
      state_offsets(with_cls(batch.offsets)),
      chosen_offsets(offsets_of_chosen(batch)),
      item_(static_cast<double>(size_of(compute))),
      anchor_(Var::parameter(Tensor::zeros({1}, compute, where),
                             Tensor::zeros({1}, accumulation_type(compute), where))) {}

Tensor OpInputs::random(const lodestone::Shape& extents) const {
  Tensor values = Tensor::empty(extents, DType::kF32, Device::cpu());
  std::uint64_t state = 1;
  for (float& value : values.host<float>()) {  // Knuth's MMIX generator
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<std::int64_t>(state)) * 0x1p-63f;
  }
  return (dtype == DType::kF32 ? values : values.cast(dtype)).to(device);
}

Var OpInputs::parameter(const lodestone::Shape& extents) const {
  return Var::parameter(random(extents), Tensor::zeros(extents, accumulation_type(dtype), device));
}

Var OpInputs::activation(const Tensor& value) const {
  return Var::record("input", value, {anchor_}, [](const Tensor&, Grads&) {});
}

Dropout OpInputs::dropout(double probability, std::int64_t rows) const {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  std::iota(keys.begin(), keys.end(), std::int64_t{0});
  return {static_cast<float>(probability), RandomKey::derive(1, 1, 1), Tensor::from(keys)};
}

}  // namespace lodestone::bench
