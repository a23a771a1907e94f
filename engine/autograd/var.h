#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>

#include "engine/tensor.h"
#include "kernels/gradient.h"

namespace lodestone {

class Node;

// The gradients a backward function may produce, one per input of its op.
class Grads {
 public:
  explicit Grads(Node& node) : node_(node) {}
  // Where to write the gradient of that input, in elements of `dtype`; null when nothing needs it.
  // Ask once per input; write what you asked for. `dtype` is the dtype of the op for activations,
  // and accumulation_type of it for parameters (weights, biases, tables).
  kernels::Gradient want(int input, DType dtype);
  // The same of an input whose value the op saved and reads for the last time while it writes the
  // gradient: element by element into `value`'s own memory, unless somebody else still has it or
  // there is something to add to.
  kernels::Gradient want_in_place(int input, const Tensor& value);

 private:
  Node& node_;
};

// `dy` has the shape and dtype of the op's value.
using Backward = std::function<void(const Tensor& dy, Grads& grads)>;
using GradientHook = std::function<void()>;

// A value that remembers the op that made it. Leaves made by `parameter` accumulate into a gradient
// they do not own; constants have none.
class Var {
 public:
  Var() = default;
  explicit Var(Tensor value) : value_(std::move(value)) {}
  // `gradient` has the shape of `value` and dtype accumulation_type(value.dtype()); its owner
  // zeroes it.
  static Var parameter(Tensor value, Tensor gradient);
  // Rows [begin, end) of a parameter; what is added to their gradient is added to the parameter's.
  Var rows(std::int64_t begin, std::int64_t end) const;
  // The result of an op. Keeps `backward` only if an input needs a gradient and recording is on.
  // `backward` captures Tensors, never Vars, so a graph cannot own itself. Undefined inputs are
  // allowed (optional arguments). Two inputs that are the same differentiable Var are refused: they
  // would be handed the same gradient twice.
  static Var record(const char* op, Tensor value, std::span<const Var> inputs, Backward backward);
  static Var record(const char* op, Tensor value, std::initializer_list<Var> inputs,
                    Backward backward) {
    return record(op, std::move(value), std::span<const Var>(inputs.begin(), inputs.size()),
                  std::move(backward));
  }

  // Whether `record` would keep a backward for these inputs: an op asks before it makes what only a
  // backward needs.
  static bool records(std::span<const Var> inputs);
  static bool records(std::initializer_list<Var> inputs) {
    return records(std::span<const Var>(inputs.begin(), inputs.size()));
  }

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  bool requires_grad() const { return node_ != nullptr; }
  const std::shared_ptr<Node>& node() const { return node_; }
  // Called during `backward` when a parameter's last contribution has been written.
  void on_gradient_ready(GradientHook hook) const;

 private:
  Tensor value_;
  std::shared_ptr<Node> node_;
};

// Fills the gradients of every parameter that `loss` depends on and frees the graph. `seed` has the
// shape and dtype of the loss.
void backward(const Var& loss, Tensor seed);

// While one lives, ops of this thread record nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

}  // namespace lodestone
