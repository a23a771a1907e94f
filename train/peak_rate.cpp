#include "train/peak_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/core/cuda_device.h"
#include "engine/core/device_moments.h"
#include "engine/ops.h"

namespace lodestone {

namespace {

// Dense bf16 (half of what is advertised with sparsity), TFLOP/s. Data sheets of NVIDIA: "A100
// Tensor Core GPU" (2021), "H100 Tensor Core GPU" (2024: SXM, NVL), "H100 PCIe GPU" (2022), "H200
// Tensor Core GPU" (2024: SXM, NVL). A name takes the first entry that it begins with.
constexpr std::array<std::pair<std::string_view, double>, 7> kPublished{
    {{"NVIDIA H200 NVL", 835.5},
     {"NVIDIA H200", 989.4},
     {"NVIDIA H100 NVL", 835.5},
     {"NVIDIA H100 PCIe", 756.5},
     {"NVIDIA H100", 989.4},
     {"NVIDIA A100", 312},
     {"A100", 312}}};

}  // namespace

double published_peak(std::string_view device_name) {
  for (const auto& [name, tflops] : kPublished)
    if (device_name.starts_with(name)) return tflops * 1e12;
  return 0;
}

double product_rate(Device device, DType dtype, std::int64_t size) {
  constexpr int kProducts = 4;  // the first pays for set-up
  const NoGrad no_grad;
  const Var x(Tensor::zeros({size, size}, dtype, device));
  const Var weight(Tensor::zeros({size, size}, dtype, device));
  DeviceMoments moments(device);
  moments.mark();
  for (int run = 0; run < kProducts; ++run) {
    linear(x, weight, Var());
    moments.mark();
  }
  const std::vector<double> seconds = moments.seconds();
  const auto extent = static_cast<double>(size);
  return 2 * extent * extent * extent / *std::min_element(seconds.begin(), seconds.end());
}

PeakRate peak_rate(Device device, DType dtype) {
  constexpr std::int64_t kModel = 768, kLarge = 4096;
  if (!device.is_cpu() && dtype == DType::kBf16) {
    const std::string name = cuda_device_name(device);
    if (const double published = published_peak(name); published > 0)
      return {published, "published for " + name};
  }
  const std::int64_t size = device.is_cpu() ? kModel : kLarge;
  return {product_rate(device, dtype, size),
          fmt::format("measured now with products of {0} x {0}", size)};
}

}  // namespace lodestone
