#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/core/check.h"

namespace lodestone {

double learning_rate(const ScheduleConfig& schedule, std::int64_t step, std::int64_t total_steps) {
  const std::int64_t warmup = schedule.warmup_steps;
  if (step < warmup)
    return schedule.peak_rate * static_cast<double>(step) / static_cast<double>(warmup);
  if (schedule.shape == "constant") return schedule.peak_rate;
  const double done =
      std::min(1.0, static_cast<double>(step - warmup) /
                        static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup)));
  if (schedule.shape == "linear") return schedule.peak_rate * (1 - done);
  check(schedule.shape == "cosine", "schedule.shape must be constant, linear or cosine, is \"{}\"",
        schedule.shape);
  return schedule.peak_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

void validate(const ScheduleConfig& schedule, std::int64_t total_steps) {
  learning_rate(schedule, schedule.warmup_steps, total_steps);  // knows the shapes
  check(schedule.peak_rate > 0 && std::isfinite(schedule.peak_rate),
        "schedule.peak_rate must be above 0, is {}", schedule.peak_rate);
  check(schedule.warmup_steps >= 0, "schedule.warmup_steps must be 0 or more, is {}",
        schedule.warmup_steps);
  check(schedule.warmup_steps < total_steps,
        "schedule.warmup_steps is {} but the run has only {} steps: set it lower, or train longer",
        schedule.warmup_steps, total_steps);
}

double prior_scale(std::int64_t step, std::int64_t warmup_steps) {
  if (step >= warmup_steps) return 1;
  return static_cast<double>(step) / static_cast<double>(warmup_steps);
}

}  // namespace lodestone
