#include "tests/testing/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "engine/core/device_memory.h"
#include "engine/memory/allocator.h"

namespace lodestone::testing {

namespace {

constexpr std::size_t kCheckedElements = 48;

double dot(const Tensor& a, const Tensor& b) {
  const auto left = a.host<double>(), right = b.host<double>();
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i) sum += left[i] * right[i];
  return sum;
}

Tensor scaled(Tensor x, double factor) {
  for (double& v : x.host<double>()) v *= factor;
  return x;
}

Tensor sum(const Tensor& a, const Tensor& b, double factor_of_b) {
  Tensor result = a.clone();
  const auto right = b.host<double>();
  const auto to = result.host<double>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor_of_b * right[i];
  return result;
}

double error_of(double analytic, double numeric) {
  const double error = std::abs(analytic - numeric) / std::max(1.0, std::abs(numeric));
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

// The scalar <seed, f(inputs)> and its gradients.
class Scalar {
 public:
  Scalar(const Function& f, const std::vector<Tensor>& inputs) : f_(f), inputs_(inputs) {}

  std::vector<Tensor> gradients(bool as_interior) {
    std::vector<Var> vars;
    std::vector<Tensor> noise, sums;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      noise.push_back(random_f64(inputs_[k].shape(), 100 + k));
      sums.push_back(noise.back().clone());
      const Var leaf = Var::parameter(inputs_[k], sums.back());
      vars.push_back(as_interior ? interior(leaf) : leaf);
    }
    const Var y = f_(vars);
    seed_ = random_f64(y.shape(), 7);
    backward(y, seed_);
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] = sum(sums[k], noise[k], -1);
    return sums;
  }

  // Derivative with respect to input k along `direction`, by central difference. Results are
  // subtracted before they are summed, so that what does not depend on the input cancels exactly.
  double slope(std::size_t k, const Tensor& direction, double step) const {
    const Tensor up = value(k, sum(inputs_[k], direction, step));
    const Tensor down = value(k, sum(inputs_[k], direction, -step));
    return dot(seed_, sum(up, down, -1)) / (2 * step);
  }

 private:
  Tensor value(std::size_t k, const Tensor& replacement) const {
    const NoGrad no_grad;
    std::vector<Var> vars(inputs_.begin(), inputs_.end());
    vars[k] = Var(replacement);
    return f_(vars).value();
  }

  const Function& f_;
  const std::vector<Tensor>& inputs_;
  Tensor seed_;
};

std::vector<std::size_t> checked_elements(std::size_t count) {
  std::vector<std::size_t> all(count), chosen;
  for (std::size_t i = 0; i < count; ++i) all[i] = i;
  std::sample(all.begin(), all.end(), std::back_inserter(chosen), kCheckedElements,
              std::mt19937_64(count));
  return chosen;
}

double worst_error(const Scalar& scalar, const std::vector<Tensor>& inputs,
                   const std::vector<std::vector<Tensor>>& gradients, double step) {
  double worst = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const auto compare = [&](const Tensor& direction) {
      const double numeric = scalar.slope(k, direction, step);
      for (const auto& gradient : gradients)
        worst = std::max(worst, error_of(dot(gradient[k], direction), numeric));
    };
    for (const std::size_t i : checked_elements(inputs[k].host<double>().size())) {
      Tensor unit = Tensor::zeros(inputs[k].shape(), DType::kF64, Device::cpu());
      unit.host<double>()[i] = 1;
      compare(unit);
    }
    const Tensor any = random_f64(inputs[k].shape(), 300 + k);
    if (any.numel() > 0) compare(scaled(any, 1 / std::sqrt(dot(any, any))));
  }
  return worst;
}

}  // namespace

Tensor random_f64(const Shape& shape, std::uint64_t key) {
  Tensor t = Tensor::empty(shape, DType::kF64, Device::cpu());
  std::mt19937_64 engine(key);
  std::normal_distribution<double> normal;
  for (double& v : t.host<double>()) v = normal(engine);
  return t;
}

Var interior(const Var& x) {
  const DType wide = accumulation_type(x.value().dtype());
  return Var::record("interior", x.value(), {x}, [wide](const Tensor& dy, Grads& grads) {
    const kernels::Gradient dx = grads.want(0, wide);
    const Device host = Device::cpu();
    Tensor total = dy.to(host).cast(DType::kF64);
    if (dx.accumulate) {
      Tensor before = Tensor::empty(dy.shape(), wide, host);
      copy_bytes(before.data(), host, dx.data, dy.device(), before.bytes());
      total = sum(before.cast(DType::kF64), total, 1);
    }
    const Tensor result = total.cast(wide);
    copy_bytes(dx.data, dy.device(), result.data(), host, result.bytes());
  });
}

double gradcheck(const Function& f, const std::vector<Tensor>& inputs, double step) {
  PoisoningAllocator poisoning(allocator(Device::cpu()));
  const AllocatorScope scope(Device::cpu(), poisoning);
  Scalar scalar(f, inputs);
  const std::vector<std::vector<Tensor>> gradients{scalar.gradients(false), scalar.gradients(true)};
  return worst_error(scalar, inputs, gradients, step);
}

}  // namespace lodestone::testing
