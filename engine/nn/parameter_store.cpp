#include "engine/nn/parameter_store.h"

#include <cmath>
#include <numbers>

#include "engine/core/philox.h"
#include "engine/core/threads.h"

namespace lodestone {

namespace {

constexpr std::int64_t kAlignment = 64;  // elements
constexpr std::uint32_t kInitOp = 0x696e6974;

// Two normal numbers of one Philox block (Box and Muller 1958).
void fill_normal(Tensor& target, RandomKey key, double mean, double stddev) {
  const std::int64_t n = target.numel();
  const auto draw = [&](std::int64_t begin, std::int64_t end, auto elements) {
    for (std::int64_t pair = begin; pair < end; ++pair) {
      const PhiloxBlock word = key.at(static_cast<std::uint64_t>(pair), 0);
      const double radius = std::sqrt(-2 * std::log1p(-uniform(word[0], word[1])));
      const double angle = 2 * std::numbers::pi * uniform(word[2], word[3]);
      using T = typename decltype(elements)::element_type;
      const auto i = static_cast<std::size_t>(2 * pair);
      elements[i] = static_cast<T>(mean + stddev * radius * std::cos(angle));
      if (i + 1 < elements.size())
        elements[i + 1] = static_cast<T>(mean + stddev * radius * std::sin(angle));
    }
  };
  parallel_for((n + 1) / 2, 4096, [&](std::int64_t begin, std::int64_t end) {
    if (target.dtype() == DType::kF64)
      draw(begin, end, target.host<double>());
    else
      draw(begin, end, target.host<float>());
  });
}

}  // namespace

Parameter& ParameterStore::declare(std::string name, const Shape& shape, Init init, Decay decay) {
  check(!materialized(), "parameter {}: declared after the store was materialised", name);
  for (const Parameter& other : parameters_)
    check(other.name != name, "parameter {}: declared twice", name);
  Parameter p;
  p.name = std::move(name);
  p.shape = shape;
  p.init = init;
  p.decay = decay;
  if (!parameters_.empty()) {
    const Parameter& last = parameters_.back();
    p.offset = (last.offset + last.numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
  return parameters_.emplace_back(std::move(p));
}

void ParameterStore::materialize(Device device, DType compute, std::uint64_t seed) {
  check(!materialized() && !parameters_.empty(), "parameter store: nothing to materialise");
  check(is_floating(compute), "parameter store: {} is not a floating type", name_of(compute));
  const std::int64_t n = parameters_.back().offset + parameters_.back().numel();
  const DType wide = accumulation_type(compute);
  // Drawn by the host, so that a model starts from the same bits on every device.
  const Tensor drawn = Tensor::zeros({n}, wide, Device::cpu());
  std::uint64_t index = 0;
  for (const Parameter& p : parameters_) {
    Tensor values = drawn.slice(p.offset, p.shape);
    fill_normal(values, RandomKey::derive(seed, index++, kInitOp), p.init.mean, p.init.stddev);
  }
  masters_ = drawn.to(device);
  values_ = compute == wide ? masters_ : Tensor::zeros({n}, compute, device);
  gradients_ = Tensor::zeros({n}, wide, device);
  for (Parameter& p : parameters_) {
    p.value = values_.slice(p.offset, p.shape);
    p.master = masters_.slice(p.offset, p.shape);
    p.gradient = gradients_.slice(p.offset, p.shape);
    p.var = Var::parameter(p.value, p.gradient);
  }
  publish_masters();
}

Parameter& ParameterStore::at(const std::string& name) {
  for (Parameter& p : parameters_)
    if (p.name == name) return p;
  fail(ErrorKind::kInvalidArgument, "the model has no parameter {}", name);
}

void ParameterStore::publish_masters() {
  if (values_.dtype() == masters_.dtype()) return;
  values_.copy_from(masters_.cast(values_.dtype()));
}

}  // namespace lodestone
