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

// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) with the order
// of operations of torch.optim.AdamW, on the flat f32 buffers of a store on the CPU. Its results do
// not depend on the number of threads.
class AdamW {
 public:
  // The store must be materialised with f32 or bf16 values, and outlive the optimizer.
  AdamW(ParameterStore& store, const AdamWConfig& config);

  // Euclidean norm over all gradients. Throws kNumeric naming the first parameter whose gradient is
  // not finite.
  double gradient_norm() const;
  // One update of the masters, published to the values, in one pass that leaves the gradients zero.
  // They enter scaled by clip_coefficient(gradient_norm, config.max_gradient_norm).
  void update(double learning_rate, double gradient_norm);

  // State, for checkpoints: flat [n] f32 moments laid out as the store's masters, and the number of
  // updates so far.
  Tensor first_moments() const { return first_; }
  Tensor second_moments() const { return second_; }
  std::int64_t updates() const { return updates_; }
  // After the contents of the moments were restored.
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  // A piece of one parameter: the unit of parallel work, whatever the number of threads.
  struct Piece {
    std::int64_t begin, end;  // in the flat buffers
    const Parameter* parameter;
  };
  // Value: bf16, or float where the masters are the values.
  template <class Value>
  void update_piece(const Piece& piece, double learning_rate, double gradient_scale);

  ParameterStore& store_;
  AdamWConfig config_;
  std::vector<Piece> pieces_;
  Tensor first_, second_;
  std::int64_t updates_ = 0;
};

// As torch.nn.utils.clip_grad_norm_: max_norm / (norm + 1e-6), at most 1. max_norm 0 never clips.
double clip_coefficient(double norm, double max_norm);

}  // namespace lodestone
