#include "engine/autograd/var.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <vector>

#include "engine/core/profile.h"

namespace lodestone {

namespace {
thread_local bool recording = true;
std::atomic<std::uint64_t> next_sequence{0};
}  // namespace

// One op of the graph, or one parameter.
class Node {
 public:
  const char* op = "parameter";
  const char* part = ProfiledPart::current();
  std::uint64_t sequence = next_sequence++;
  std::vector<std::shared_ptr<Node>> inputs;  // null: not differentiable
  Backward backward;                          // empty for a parameter
  Shape shape;
  DType dtype = DType::kF32;  // of the op's output
  Device device;
  Tensor gradient;       // of the op's output; a parameter's is the caller's buffer
  bool touched = false;  // the gradient holds something to add to
  GradientHook hook;     // of a parameter
};

Var Var::parameter(Tensor value, Tensor gradient) {
  check(gradient.shape() == value.shape() && gradient.dtype() == accumulation_type(value.dtype()),
        "parameter: the gradient of {} {} must be {}, got {} {}", name_of(value.dtype()),
        value.shape().text(), name_of(accumulation_type(value.dtype())), name_of(gradient.dtype()),
        gradient.shape().text());
  Var v(std::move(value));
  v.node_ = std::make_shared<Node>();
  v.node_->shape = gradient.shape();
  v.node_->gradient = std::move(gradient);
  v.node_->touched = true;  // accumulate from the start: the owner zeroes the buffer
  return v;
}

Var Var::rows(std::int64_t begin, std::int64_t end) const {
  Var part(value_.rows(begin, end));
  if (!node_) return part;
  check(!node_->backward && node_->inputs.empty(), "rows: {} is not a parameter", node_->op);
  part.node_ = std::make_shared<Node>();
  part.node_->op = "rows";
  part.node_->gradient = node_->gradient.rows(begin, end);
  part.node_->shape = part.node_->gradient.shape();
  part.node_->dtype = part.node_->gradient.dtype();
  part.node_->touched = true;
  part.node_->inputs = {node_};  // so that the parameter's hook waits for this part too
  part.node_->backward = [](const Tensor&, Grads&) {};
  return part;
}

bool Var::records(std::span<const Var> inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(),
                                  [](const Var& input) { return input.requires_grad(); });
}

Var Var::record(const char* op, Tensor value, std::span<const Var> inputs, Backward backward) {
  lap(op);
  Var v(std::move(value));
  if (!records(inputs)) return v;
  auto node = std::make_shared<Node>();
  node->op = op;
  node->shape = v.value_.shape();
  node->dtype = v.value_.dtype();
  node->device = v.value_.device();
  node->backward = std::move(backward);
  for (const Var& input : inputs) {
    check(!input.node() || std::find(node->inputs.begin(), node->inputs.end(), input.node()) ==
                               node->inputs.end(),
          "{}: two inputs are the same differentiable value", op);
    node->inputs.push_back(input.node());
  }
  v.node_ = std::move(node);
  return v;
}

void Var::on_gradient_ready(GradientHook hook) const {
  check(node_ && !node_->backward, "on_gradient_ready: only parameters have hooks");
  node_->hook = std::move(hook);
}

kernels::Gradient Grads::want(int input, DType dtype) {
  Node* source = node_.inputs[static_cast<std::size_t>(input)].get();
  if (!source) return {};
  const bool first = !source->touched;
  if (first) source->gradient = Tensor::empty(source->shape, dtype, source->device);
  if (source->gradient.dtype() != dtype)
    fail(ErrorKind::kInternal, "{}: writes the gradient of input {} as {}, but it is {}", node_.op,
         input, name_of(dtype), name_of(source->gradient.dtype()));
  source->touched = true;
  return {source->gradient.data(), !first};
}

kernels::Gradient Grads::want_in_place(int input, const Tensor& value) {
  Node* source = node_.inputs[static_cast<std::size_t>(input)].get();
  if (!source || source->touched || !value.unique()) return want(input, value.dtype());
  source->gradient = value;
  source->touched = true;
  return {source->gradient.data(), false};
}

namespace {

// Every node the loss depends on, later ops first: ops are numbered as they run, so descending
// order is a topological order.
std::vector<std::shared_ptr<Node>> descending(const std::shared_ptr<Node>& loss,
                                              std::unordered_map<Node*, int>& uses) {
  std::vector<std::shared_ptr<Node>> order{loss};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t k = 0; k < order[i]->inputs.size(); ++k)
      if (const std::shared_ptr<Node> input = order[i]->inputs[k];
          input && ++uses[input.get()] == 1)
        order.push_back(input);
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a->sequence > b->sequence; });
  return order;
}

}  // namespace

void backward(const Var& loss, Tensor seed) {
  check(loss.requires_grad(), "backward: the loss depends on no parameter");
  check(seed.shape() == loss.shape() && seed.dtype() == loss.value().dtype(),
        "backward: the seed must be {} {}, got {} {}", name_of(loss.value().dtype()),
        loss.shape().text(), name_of(seed.dtype()), seed.shape().text());
  std::unordered_map<Node*, int> uses;
  const auto order = descending(loss.node(), uses);
  loss.node()->gradient = std::move(seed);
  loss.node()->touched = true;
  const NoGrad no_grad;
  for (const auto& node : order) {
    if (!node->backward) continue;
    if (node->touched) {
      Grads grads(*node);
      // Contributions to a weight that is itself a result arrive in its accumulation type.
      const bool same = node->gradient.dtype() == node->dtype;
      const ProfiledPart part(node->part);
      node->backward(same ? node->gradient : node->gradient.cast(node->dtype), grads);
      lap(node->op, Pass::kBackward);
    }
    node->backward = nullptr;  // frees the saved tensors
    node->gradient = Tensor();
    for (const auto& input : node->inputs)
      if (input && --uses[input.get()] == 0 && input->hook) input->hook();
    node->inputs.clear();
  }
}

NoGrad::NoGrad() : previous_(recording) {
  recording = false;
}

NoGrad::~NoGrad() {
  recording = previous_;
}

}  // namespace lodestone
