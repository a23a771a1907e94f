#include "tools/run.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <regex>
#include <utility>
#include <vector>

#include "engine/core/check.h"
#include "kernels/cuda/matrix_product.h"

namespace lodestone::tools {

namespace {

// $XDG_CACHE_HOME/lodestone or ~/.cache/lodestone; empty where there is neither.
std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::filesystem::path(cache) / "lodestone";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / ".cache" / "lodestone";
  return {};
}

// Of cpu, cuda or cuda:N.
Device to_device(const std::string& text) {
  if (text == "cpu") return Device::cpu();
  const auto colon = text.find(':');
  return Device::cuda(colon == std::string::npos ? 0 : std::stoi(text.substr(colon + 1)));
}

}  // namespace

void RunSettings::validate() const {
  check(threads >= 0 && threads <= 1024, "threads = {}: expected 1 to 1024, or 0 for all cores",
        threads);
  check(std::regex_match(device, std::regex("auto|cpu|cuda(:[0-9]{1,4})?")),
        "device = '{}': expected auto, cpu, cuda or cuda:N", device);
  if (device.starts_with("cuda"))
    check(cuda_device_count() > to_device(device).index,
          "device = '{}': {}; leave the setting out or use cpu", device,
          cuda_device_count() == 0
              ? cuda_problem()
              : fmt::format("this machine has {} CUDA devices, numbered from 0",
                            cuda_device_count()));
}

Device RunSettings::chosen_device() const {
  if (device == "auto") return cuda_device_count() > 0 ? Device::cuda() : Device::cpu();
  return to_device(device);
}

Run::Run(RunSettings settings, OutputOptions options, Manifest manifest)
    : settings_(std::move(settings)), options_(options), manifest_(std::move(manifest)) {}

Device Run::device() const {
  const Device device = settings_.chosen_device();
  if constexpr (kCudaBuilt)
    if (!device.is_cpu()) kernels::prepare_matrix_products(device, {.folder = cache_folder()});
  return device;
}

Progress Run::progress(std::string what, std::string unit) const {
  return Progress(std::move(what), std::move(unit), progress_for(options_.quiet));
}

void Run::result(const nlohmann::ordered_json& json, std::string_view text) const {
  if (options_.json)
    fmt::print(stdout, "{}\n", json.dump(2));
  else
    fmt::print(stdout, "{}{}", text, text.empty() || text.ends_with('\n') ? "" : "\n");
}

}  // namespace lodestone::tools
