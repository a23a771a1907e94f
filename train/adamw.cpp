#include "train/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "engine/core/threads.h"

namespace lodestone {

namespace {

constexpr std::int64_t kPieceElements = 16384;

// In f64, in eight lanes so that the compiler may use vectors without changing the order of sums.
double sum_of_squares(std::span<const float> x) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  const std::size_t whole = x.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
  for (std::size_t i = whole; i < x.size(); ++i)
    lanes[i - whole] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

// The factors of one update. What is added is rounded from f64: 1 - beta2 in f32 would be wrong in
// its fifth digit.
struct Factors {
  float gradient_scale, keep, beta1, add1, beta2, add2, rate, root_correction, eps;
};

void update_elements(const Factors& f, std::int64_t n, const float* __restrict gradient,
                     float* __restrict master, float* __restrict first, float* __restrict second) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = f.gradient_scale * gradient[i];
    first[i] = f.beta1 * first[i] + f.add1 * g;
    second[i] = f.beta2 * second[i] + f.add2 * g * g;
    const float denominator = std::sqrt(second[i]) * f.root_correction + f.eps;
    master[i] = f.keep * master[i] - f.rate * first[i] / denominator;
  }
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
  for (const Parameter& p : store.parameters())
    for (std::int64_t begin = 0; begin < p.numel(); begin += kPieceElements)
      pieces_.push_back(
          {p.offset + begin, p.offset + std::min(begin + kPieceElements, p.numel()), &p});
  first_ = Tensor::zeros(store.masters().shape(), DType::kF32, store.masters().device());
  second_ = Tensor::zeros(store.masters().shape(), DType::kF32, store.masters().device());
}

double AdamW::gradient_norm() const {
  const Tensor gradients = store_.gradients();
  const std::span<const float> all = gradients.host<float>();
  std::vector<double> sums(pieces_.size());
  parallel_for(std::ssize(pieces_), 2, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      sums[i] =
          sum_of_squares(all.subspan(static_cast<std::size_t>(pieces_[i].begin),
                                     static_cast<std::size_t>(pieces_[i].end - pieces_[i].begin)));
  });
  // Squares of f32 cannot overflow in f64: a sum is not finite only when an element is not.
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (!std::isfinite(sums[i]))
      fail(ErrorKind::kNumeric, "the gradient of {} is not finite; nothing was updated",
           pieces_[i].parameter->name);
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

void AdamW::update(double learning_rate, double gradient_norm) {
  ++updates_;
  const auto t = static_cast<double>(updates_);
  const double rate = learning_rate / (1 - std::pow(config_.beta1, t));
  const double root_correction = 1 / std::sqrt(1 - std::pow(config_.beta2, t));
  const double scale = clip_coefficient(gradient_norm, config_.max_gradient_norm);
  Tensor masters = store_.masters(), gradients = store_.gradients();
  float* const master = masters.host<float>().data();
  const float* const gradient = gradients.host<float>().data();
  float* const first = first_.host<float>().data();
  float* const second = second_.host<float>().data();
  parallel_for(std::ssize(pieces_), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces_[static_cast<std::size_t>(i)];
      const double decay = piece.parameter->decay == Decay::kYes ? config_.weight_decay : 0;
      const Factors factors{
          static_cast<float>(scale),         static_cast<float>(1 - learning_rate * decay),
          static_cast<float>(config_.beta1), static_cast<float>(1 - config_.beta1),
          static_cast<float>(config_.beta2), static_cast<float>(1 - config_.beta2),
          static_cast<float>(rate),          static_cast<float>(root_correction),
          static_cast<float>(config_.eps)};
      update_elements(factors, piece.end - piece.begin, gradient + piece.begin,
                      master + piece.begin, first + piece.begin, second + piece.begin);
    }
  });
  store_.publish_masters();
}

double clip_coefficient(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace lodestone
