#pragma once
#include <cstdint>
#include <deque>
#include <string>

#include "engine/autograd/var.h"

namespace lodestone {

// How a parameter starts: normal(mean, stddev), drawn by Philox from (seed, parameter, element).
struct Init {
  float mean = 0, stddev = 0;
  static Init normal(float stddev) { return {0, stddev}; }
  static Init constant(float value) { return {value, 0}; }
};

enum class Decay : bool { kNo, kYes };

struct Parameter {
  std::string name;
  Shape shape;
  Init init;
  Decay decay = Decay::kYes;
  std::int64_t offset = 0;  // of its first element in the store's flat buffers
  // Views into the flat buffers once the store is materialised.
  Tensor value, master, gradient;
  Var var;  // of value and gradient

  std::int64_t numel() const { return shape.numel(); }
};

// Owns every parameter of a model in flat buffers, in declaration order, each parameter aligned to
// 64 elements (the gaps stay zero), so that the optimizer, the norm, the all-reduce and the
// checkpoint each see one array.
class ParameterStore {
 public:
  // Before materialize. The reference stays valid as long as the store. Names must differ.
  Parameter& declare(std::string name, const Shape& shape, Init init, Decay decay);
  // Makes the buffers and draws the initial values. `compute` is f32, bf16 or f64.
  void materialize(Device device, DType compute, std::uint64_t seed);
  bool materialized() const { return masters_.defined(); }

  std::deque<Parameter>& parameters() { return parameters_; }
  const std::deque<Parameter>& parameters() const { return parameters_; }
  // Throws kInvalidArgument when there is none of that name.
  Parameter& at(const std::string& name);

  // Flat buffers [n]. values: what ops read, in the compute dtype. masters: what the optimizer
  // updates, accumulation_type(compute); the same memory as values when the dtypes are equal.
  Tensor values() const { return values_; }
  Tensor masters() const { return masters_; }
  Tensor gradients() const { return gradients_; }
  DType compute_type() const { return values_.dtype(); }
  Device device() const { return masters_.device(); }

  void zero_gradients() { gradients_.fill_zero(); }
  // Rounds the masters into the values; to be called after the masters changed.
  void publish_masters();

 private:
  std::deque<Parameter> parameters_;
  Tensor values_, masters_, gradients_;
};

}  // namespace lodestone
