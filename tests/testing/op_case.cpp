#include "tests/testing/op_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/core/device_memory.h"
#include "engine/core/threads.h"
#include "engine/memory/allocator.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/test_device.h"

namespace lodestone::testing {

namespace {

// Sets the number of threads while it lives.
class Threads {
 public:
  explicit Threads(int count) : previous_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(previous_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int previous_;
};

Tensor f64_on_host(const Tensor& x) {
  return x.to(Device::cpu()).cast(DType::kF64);
}

double norm(const Tensor& x) {
  const Tensor wide = f64_on_host(x);
  double sum = 0;
  for (const double v : wide.host<double>()) sum += v * v;
  return std::sqrt(sum);
}

double distance(const Tensor& got, const Tensor& expected) {
  if (got.shape() != expected.shape()) return std::numeric_limits<double>::infinity();
  Tensor difference = f64_on_host(got);
  const Tensor wide = f64_on_host(expected);
  const auto to = difference.host<double>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] -= wide.host<double>()[i];
  const double length = norm(difference);
  return std::isfinite(length) ? length : std::numeric_limits<double>::infinity();
}

Tensor rounded_to_bf16(const Tensor& x, DType dtype) {
  return x.cast(DType::kBf16).cast(DType::kF32).cast(dtype);
}

// Half of each: their sum has the size of one.
Var mean_of(const Var& a, const Var& b) {
  Tensor y = f64_on_host(a.value());
  const Tensor other = f64_on_host(b.value());
  for (std::size_t i = 0; i < other.host<double>().size(); ++i)
    y.host<double>()[i] = 0.5 * (y.host<double>()[i] + other.host<double>()[i]);
  const Tensor mean = y.cast(a.value().dtype()).to(a.value().device());
  return Var::record("mean_of", mean, {a, b}, [](const Tensor& dy, Grads& grads) {
    Tensor half = f64_on_host(dy);
    for (double& v : half.host<double>()) v *= 0.5;
    half = half.cast(dy.dtype());
    for (int k = 0; k < 2; ++k)
      if (void* to = grads.want(k, dy.dtype()).data)
        copy_bytes(to, dy.device(), half.data(), Device::cpu(), half.bytes());
  });
}

// A result and its gradients.
struct Outcome {
  Tensor y;
  std::vector<Tensor> gradients;
};

Outcome run_case(const OpCase& c, DType dtype, Device device, int threads) {
  const Threads scope(threads);
  Outcome outcome;
  std::vector<Var> vars;
  for (const Tensor& input : c.inputs) {
    outcome.gradients.push_back(Tensor::zeros(input.shape(), accumulation_type(dtype), device));
    vars.push_back(interior(
        Var::parameter(rounded_to_bf16(input, dtype).to(device), outcome.gradients.back())));
  }
  const Var y = mean_of(c.f(vars), c.f(vars));
  outcome.y = y.value().clone();
  backward(y, rounded_to_bf16(random_f64(y.shape(), 7), y.value().dtype()).to(device));
  outcome.y = outcome.y.to(Device::cpu());
  for (Tensor& gradient : outcome.gradients) gradient = gradient.to(Device::cpu());
  return outcome;
}

void expect_close(const Outcome& got, const Outcome& expected, double tolerance) {
  EXPECT_LE(relative_error(got.y, expected.y), tolerance) << "result";
  double all = 0;
  for (const Tensor& gradient : expected.gradients) all = std::hypot(all, norm(gradient));
  // A gradient that is zero but for rounding has no digits of its own to compare.
  for (std::size_t k = 0; k < got.gradients.size(); ++k) {
    const Tensor& reference = expected.gradients[k];
    EXPECT_LE(distance(got.gradients[k], reference),
              tolerance * std::max(norm(reference), 1e-6 * all))
        << "gradient of input " << k << ", of norm " << norm(reference);
  }
}

void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.bytes(), b.bytes()) << what;
  if (a.bytes() > 0) {
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << what;
  }
}

void expect_repeatable(const Outcome& first, const Outcome& second) {
  expect_same_bits(first.y, second.y, "result of a second run");
  for (std::size_t k = 0; k < first.gradients.size(); ++k)
    expect_same_bits(first.gradients[k], second.gradients[k],
                     fmt::format("gradient of input {} of a second run", k));
}

void check_cuda(const OpCase& c) {
  const Outcome reference = run_case(c, DType::kF64, Device::cpu(), 1);
  const std::pair<DType, double> dtypes[] = {{DType::kF32, c.f32_tolerance},
                                             {DType::kBf16, c.bf16_tolerance}};
  for (const auto& [dtype, tolerance] : dtypes) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, fmt::format("{}, cuda", name_of(dtype)));
    const Outcome outcome = run_case(c, dtype, Device::cuda(), 1);
    expect_close(outcome, reference, tolerance);
    expect_repeatable(outcome, run_case(c, dtype, Device::cuda(), 1));
  }
}

void check_cpu(const OpCase& c) {
  const Outcome reference = run_case(c, DType::kF64, Device::cpu(), 1);
  const std::pair<DType, double> dtypes[] = {
      {DType::kF64, 1e-12}, {DType::kF32, c.f32_tolerance}, {DType::kBf16, c.bf16_tolerance}};
  for (const auto& [dtype, tolerance] : dtypes) {
    for (const int threads : {1, 2, 3}) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__,
                                         fmt::format("{}, {} threads", name_of(dtype), threads));
      const Outcome outcome = run_case(c, dtype, Device::cpu(), threads);
      expect_close(outcome, reference, tolerance);
      if (threads == 2) expect_repeatable(outcome, run_case(c, dtype, Device::cpu(), threads));
    }
  }
}

}  // namespace

void check_op(const OpCase& c) {
  const ::testing::ScopedTrace trace(__FILE__, __LINE__, c.name);
  const Device device = test_device();
  if (c.gradcheck && device.is_cpu()) {
    EXPECT_LE(gradcheck(c.f, c.inputs), c.gradient_tolerance) << "finite differences";
  }
  // The case's index arrays keep their copies on the device, which are not those of the scope
  // below.
  if (!device.is_cpu()) run_case(c, DType::kF32, device, 1);
  PoisoningAllocator poisoning(allocator(device), device);
  CountingAllocator counting(poisoning);
  {
    const AllocatorScope scope(device, counting);
    device.is_cpu() ? check_cpu(c) : check_cuda(c);
  }
  EXPECT_GT(counting.stats().allocations, 0u);
  EXPECT_EQ(counting.stats().live_blocks, 0u) << "memory left";
}

void check_ops(const std::vector<OpCase>& cases) {
  for (const OpCase& c : cases) check_op(c);
}

double relative_error(const Tensor& got, const Tensor& expected) {
  const double length = distance(got, expected);
  return length == 0 ? 0 : length / norm(expected);
}

void expect_throws(ErrorKind kind, const std::function<void()>& call, const std::string& text) {
  expect_error(kind, text, call);
}

}  // namespace lodestone::testing
