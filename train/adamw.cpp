#include "train/adamw.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/check.h"
#include "kernels/adamw.h"
#include "kernels/gradient_norm.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

constexpr std::int64_t kPieceElements = 16384;

kernels::AdamWFactors factors_of(const AdamWConfig& c, double learning_rate, std::int64_t update) {
  const auto t = static_cast<double>(update);
  return {.max_norm = c.max_gradient_norm,
          .keep = static_cast<float>(1 - learning_rate * c.weight_decay),
          .beta1 = static_cast<float>(c.beta1),
          .add1 = static_cast<float>(1 - c.beta1),
          .beta2 = static_cast<float>(c.beta2),
          .add2 = static_cast<float>(1 - c.beta2),
          .rate = static_cast<float>(learning_rate / (1 - std::pow(c.beta1, t))),
          .root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(c.beta2, t))),
          .eps = static_cast<float>(c.eps)};
}

void check_settings(const AdamWConfig& c) {
  check(c.beta1 >= 0 && c.beta1 < 1, "optimizer.beta1 must be in [0, 1), is {}", c.beta1);
  check(c.beta2 >= 0 && c.beta2 < 1, "optimizer.beta2 must be in [0, 1), is {}", c.beta2);
  check(c.eps > 0 && std::isfinite(c.eps), "optimizer.eps must be above 0, is {}", c.eps);
  check(c.weight_decay >= 0 && std::isfinite(c.weight_decay),
        "optimizer.weight_decay must be 0 or more, is {}", c.weight_decay);
  check(c.max_gradient_norm >= 0 && std::isfinite(c.max_gradient_norm),
        "optimizer.max_gradient_norm must be 0 or more, is {}", c.max_gradient_norm);
}

}  // namespace

AdamW::AdamW(ParameterStore& store, const AdamWConfig& config) : store_(store), config_(config) {
  check_settings(config);
  check(store.materialized() && store.masters().dtype() == DType::kF32,
        "AdamW: the parameter store must be materialised in f32 or bf16");
  std::vector<std::int64_t> offsets;
  std::vector<std::uint8_t> decays;
  for (const Parameter& p : store.parameters())
    for (std::int64_t begin = 0; begin < p.numel(); begin += kPieceElements) {
      offsets.push_back(p.offset + begin);
      decays.push_back(p.decay == Decay::kYes);
      piece_parameters_.push_back(&p);
    }
  offsets.push_back(store.masters().numel());
  const Device device = store.masters().device();
  const std::int64_t pieces = std::ssize(decays);
  piece_offsets_ = Tensor::from(offsets).to(device);
  piece_decays_ = Tensor::from(decays).to(device);
  first_ = Tensor::zeros(store.masters().shape(), DType::kF32, device);
  second_ = Tensor::zeros(store.masters().shape(), DType::kF32, device);
  squares_ = Tensor::zeros({pieces}, DType::kF64, device);
  norm_ = Tensor::zeros({1}, DType::kF64, device);
}

void AdamW::measure_gradients() {
  const Tensor gradients = store_.gradients();
  kernels::launch(
      kernels::GradientNormArgs{.gradients = static_cast<const float*>(gradients.data()),
                                .offsets = static_cast<const std::int64_t*>(piece_offsets_.data()),
                                .squares = static_cast<double*>(squares_.data()),
                                .norm = static_cast<double*>(norm_.data()),
                                .pieces = squares_.numel()},
      gradients.device());
  norm_was_used_ = false;
}

void AdamW::update(double learning_rate) {
  ++updates_;
  norm_was_used_ = true;
  Tensor gradients = store_.gradients(), masters = store_.masters(), values = store_.values();
  const bool rounded = store_.compute_type() == DType::kBf16;
  kernels::launch(
      kernels::AdamWArgs{.gradients = static_cast<float*>(gradients.data()),
                         .masters = static_cast<float*>(masters.data()),
                         .first = static_cast<float*>(first_.data()),
                         .second = static_cast<float*>(second_.data()),
                         .values = rounded ? values.data() : nullptr,
                         .offsets = static_cast<const std::int64_t*>(piece_offsets_.data()),
                         .decays = static_cast<const std::uint8_t*>(piece_decays_.data()),
                         .norm = static_cast<const double*>(norm_.data()),
                         .pieces = squares_.numel(),
                         .factors = factors_of(config_, learning_rate, updates_)},
      masters.device());
}

double AdamW::gradient_norm() {
  const double norm = norm_.to(Device::cpu()).host<double>()[0];
  if (!std::isfinite(norm) && std::exchange(norm_was_used_, false)) --updates_;
  return norm;
}

void AdamW::check_gradients() const {
  const Tensor squares = squares_.to(Device::cpu());
  const auto of_pieces = squares.host<double>();
  for (std::size_t piece = 0; piece < of_pieces.size(); ++piece)
    if (!std::isfinite(of_pieces[piece]))
      fail(ErrorKind::kNumeric, "the gradient of {} is not finite; nothing was updated",
           piece_parameters_[piece]->name);
}

}  // namespace lodestone
