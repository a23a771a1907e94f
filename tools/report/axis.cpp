#include "tools/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr double kWantedIntervals = 6;

// The smallest of 1, 2, 5 times a power of ten that is not below `step`.
double nice_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

// All labels of an axis show the same number of decimals.
std::string linear_label(double value, double step) {
  const double size = std::max(std::abs(value), step);
  if (size >= 1e5 || step < 1e-4) return number_text(value);
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return decimals == 0 ? number_text(std::round(value)) : fmt::format("{:.{}f}", value, decimals);
}

}  // namespace

void Range::include(double value) {
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

bool drawable(Scale scale, double value) {
  return std::isfinite(value) && (scale == Scale::kLinear || value > 0);
}

AxisMap::AxisMap(Scale scale, Range range, double first, double last, bool round_out)
    : scale_(scale), low_(range.low), high_(range.high), first_(first), last_(last) {
  if (range.empty) {
    low_ = scale == Scale::kLog ? 1 : 0;
    high_ = scale == Scale::kLog ? 10 : 1;
  }
  if (scale == Scale::kLog)
    place_log(round_out);
  else
    place_linear(round_out);
}

void AxisMap::place_linear(bool round_out) {
  const double size = std::max(std::abs(low_), std::abs(high_));
  if (high_ - low_ <= 1e-9 * size || high_ == low_) {
    const double margin = size > 0 ? 0.1 * size : 1;
    low_ -= margin;
    high_ += margin;
  }
  const double step = nice_step((high_ / 2 - low_ / 2) / kWantedIntervals * 2);
  if (round_out) {
    low_ = step * std::floor(low_ / step + 1e-9);
    high_ = step * std::ceil(high_ / step - 1e-9);
  }
  const double first = std::ceil(low_ / step - 1e-9), last = std::floor(high_ / step + 1e-9);
  const auto count = static_cast<int>(last - first) + 1;
  for (int k = 0; k < count; ++k) {
    const double value = (first + k) * step;
    ticks_.push_back({value, linear_label(value, step)});
  }
}

void AxisMap::place_log(bool round_out) {
  if (high_ <= low_ * (1 + 1e-9)) {
    low_ /= 2;
    high_ *= 2;
  }
  const double decades = std::log10(high_) - std::log10(low_);
  const std::vector<double> factors =
      decades > 2.5 ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
  // Every n-th decade only, where there are many.
  const int every = std::max(1, static_cast<int>(std::ceil(decades / 8)));
  std::vector<double> places;
  const int first = static_cast<int>(std::floor(std::log10(low_))) - 1;
  const int last = static_cast<int>(std::ceil(std::log10(high_))) + 1;
  for (int decade = first; decade <= last; ++decade)
    for (double factor : factors)
      if (decade % every == 0) places.push_back(factor * std::pow(10.0, decade));
  if (round_out) {
    const auto above = std::lower_bound(places.begin(), places.end(), high_ * (1 - 1e-9));
    if (above != places.end()) high_ = *above;
    const auto below = std::upper_bound(places.begin(), places.end(), low_ * (1 + 1e-9));
    if (below != places.begin()) low_ = *std::prev(below);
  }
  for (double place : places)
    if (place >= low_ * (1 - 1e-9) && place <= high_ * (1 + 1e-9))
      ticks_.push_back({place, number_text(place)});
}

double AxisMap::at(double value) const {
  const double share = scale_ == Scale::kLog
                           ? (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_))
                           : (value - low_) / (high_ - low_);
  return first_ + share * (last_ - first_);
}

}  // namespace lodestone::tools
