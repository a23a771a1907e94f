#pragma once
#include <cstdint>
#include <string>

#include "engine/nn/parameter_store.h"
#include "engine/ops.h"

namespace lodestone {

// A layer is a plain object: it declares its parameters when built and is a function when called.
// Parameters are named NAME.weight and NAME.bias.

// y = activation(x weight^T + bias); weight [out, in] starts as normal(0, stddev), bias as zero.
class Linear {
 public:
  Linear(ParameterStore& store, const std::string& name, std::int64_t in, std::int64_t out,
         double stddev)
      : weight_(&store.declare(name + ".weight", {out, in},
                               Init::normal(static_cast<float>(stddev)), Decay::kYes)),
        bias_(&store.declare(name + ".bias", {out}, Init::constant(0), Decay::kNo)) {}
  Var operator()(const Var& x, Activation activation = Activation::kNone) const {
    return linear(x, weight_->var, bias_->var, activation);
  }
  // Columns [begin, end) of the result alone.
  Var columns(const Var& x, std::int64_t begin, std::int64_t end) const {
    return linear(x, weight_->var.rows(begin, end), bias_->var.rows(begin, end));
  }

 private:
  const Parameter* weight_;
  const Parameter* bias_;
};

// Layer norm over the last axis; weight starts as one, bias as zero, neither decays.
class LayerNorm {
 public:
  LayerNorm(ParameterStore& store, const std::string& name, std::int64_t width, double eps)
      : weight_(&store.declare(name + ".weight", {width}, Init::constant(1), Decay::kNo)),
        bias_(&store.declare(name + ".bias", {width}, Init::constant(0), Decay::kNo)),
        eps_(static_cast<float>(eps)) {}
  Var operator()(const Var& x) const { return layer_norm(x, weight_->var, bias_->var, eps_); }
  // layer_norm(residual + dropout(x)).
  Var operator()(const Var& x, const Var& residual, const Dropout& dropout) const {
    return dropout_residual_layer_norm(x, residual, weight_->var, bias_->var, eps_, dropout);
  }

 private:
  const Parameter* weight_;
  const Parameter* bias_;
  float eps_;
};

}  // namespace lodestone
