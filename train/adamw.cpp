#include "train/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <type_traits>

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

// What one update reads and writes of n elements: every number passes through memory once.
template <class Value>
struct Elements {
  float* __restrict gradient;  // zero afterwards, for the next step to add to
  float* __restrict master;
  float* __restrict first;
  float* __restrict second;
  Value* __restrict value;  // the rounded master; not written where the masters are the values
};

template <class Value>
void update_elements(const Factors& f, std::int64_t n, const Elements<Value>& e) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = f.gradient_scale * e.gradient[i];
    const float first = f.beta1 * e.first[i] + f.add1 * g;
    const float second = f.beta2 * e.second[i] + f.add2 * g * g;
    const float denominator = std::sqrt(second) * f.root_correction + f.eps;
    const float master = f.keep * e.master[i] - f.rate * first / denominator;
    e.gradient[i] = 0;
    e.first[i] = first;
    e.second[i] = second;
    e.master[i] = master;
    if constexpr (std::is_same_v<Value, BFloat16>) e.value[i].bits = BFloat16(master).bits;
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
  const double scale = clip_coefficient(gradient_norm, config_.max_gradient_norm);
  const bool rounded = store_.compute_type() == DType::kBf16;
  parallel_for(std::ssize(pieces_), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces_[static_cast<std::size_t>(i)];
      if (rounded)
        update_piece<BFloat16>(piece, learning_rate, scale);
      else
        update_piece<float>(piece, learning_rate, scale);
    }
  });
}

template <class Value>
void AdamW::update_piece(const Piece& piece, double learning_rate, double gradient_scale) {
  const auto t = static_cast<double>(updates_);
  const double decay = piece.parameter->decay == Decay::kYes ? config_.weight_decay : 0;
  const Factors factors{
      .gradient_scale = static_cast<float>(gradient_scale),
      .keep = static_cast<float>(1 - learning_rate * decay),
      .beta1 = static_cast<float>(config_.beta1),
      .add1 = static_cast<float>(1 - config_.beta1),
      .beta2 = static_cast<float>(config_.beta2),
      .add2 = static_cast<float>(1 - config_.beta2),
      .rate = static_cast<float>(learning_rate / (1 - std::pow(config_.beta1, t))),
      .root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(config_.beta2, t))),
      .eps = static_cast<float>(config_.eps)};
  Tensor gradients = store_.gradients(), masters = store_.masters(), values = store_.values();
  update_elements<Value>(factors, piece.end - piece.begin,
                         {.gradient = gradients.host<float>().data() + piece.begin,
                          .master = masters.host<float>().data() + piece.begin,
                          .first = first_.host<float>().data() + piece.begin,
                          .second = second_.host<float>().data() + piece.begin,
                          .value = values.host<Value>().data() + piece.begin});
}

double clip_coefficient(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace lodestone
