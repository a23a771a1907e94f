#pragma once
#include <cstdint>
#include <vector>

#include "engine/nn/parameter_store.h"

namespace lodestone {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double max_gradient_norm = 1.0;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("beta1", beta1, "decay of the first moment, in [0, 1)");
    visit("beta2", beta2, "decay of the second moment, in [0, 1)");
    visit("eps", eps, "added to the root of the second moment, above 0");
    visit("weight_decay", weight_decay,
          "per step and unit of learning rate; not on biases and "
          "layer-norm weights");
    visit("max_gradient_norm", max_gradient_norm,
          "longer gradients are shortened to it; 0 = never");
  }
};

// AdamW on the flat f32 buffers of a store, with kernels/adamw.h and kernels/gradient_norm.h. On a
// GPU nothing waits but gradient_norm(). Results on the CPU do not depend on the number of threads.
class AdamW {
 public:
  // The store must be materialised with f32 or bf16 values, and outlive the optimizer.
  AdamW(ParameterStore& store, const AdamWConfig& config);

  // Computes the Euclidean norm over all gradients, for update() and gradient_norm().
  void measure_gradients();
  // One update of the masters, published to the values, in one pass that leaves the gradients zero.
  // They enter scaled by kernels::clip_coefficient of the norm measured last. Where that is not
  // finite, nothing changes.
  void update(double learning_rate);
  // The norm measured last; waits for it. When it is not finite, an update that has read it does
  // not count.
  double gradient_norm();
  // Throws kNumeric naming the first parameter whose gradient, when measured last, was not finite.
  void check_gradients() const;

  // State, for checkpoints: flat [n] f32 moments laid out as the store's masters, and the number of
  // updates so far.
  Tensor first_moments() const { return first_; }
  Tensor second_moments() const { return second_; }
  std::int64_t updates() const { return updates_; }
  // After the contents of the moments were restored.
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  // The buffers are worked on in pieces, each of one parameter and the gap behind it: [pieces + 1]
  // and [pieces].
  Tensor piece_offsets_, piece_decays_;
  std::vector<const Parameter*> piece_parameters_;

  ParameterStore& store_;
  AdamWConfig config_;
  Tensor first_, second_;
  Tensor squares_, norm_;  // f64 [pieces], [1]
  std::int64_t updates_ = 0;
  bool norm_was_used_ = false;  // by an update
};

}  // namespace lodestone
