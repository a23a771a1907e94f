#pragma once
#include <cstdint>
#include <string>

namespace lodestone {

struct ScheduleConfig {
  std::string shape = "linear";
  double peak_rate = 5e-5;
  std::int64_t warmup_steps = 10000;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("shape", shape, "after the warm-up: constant, linear or cosine (both end at 0)");
    visit("peak_rate", peak_rate, "learning rate after the warm-up");
    visit("warmup_steps", warmup_steps, "steps over which the rate rises from 0 to its peak");
  }
};

// The learning rate of update `step`, counting from 0 (so that the first of a warm-up has rate 0,
// as the published training has it), of `total_steps`. With w = warmup_steps:
//   step < w   peak * step / w
//   linear     peak * (total - step) / (total - w)
//   cosine     peak * (1 + cos(pi * (step - w) / (total - w))) / 2
double learning_rate(const ScheduleConfig& schedule, std::int64_t step, std::int64_t total_steps);

// Throws kInvalidArgument for an unknown shape, a rate that is not positive, or a warm-up that does
// not end within the run.
void validate(const ScheduleConfig& schedule, std::int64_t total_steps);

// How much the prior-knowledge embeddings count at that step: rises from 0 by 1 / warmup_steps a
// step to 1. warmup_steps 0: always 1.
double prior_scale(std::int64_t step, std::int64_t warmup_steps);

}  // namespace lodestone
