#include "train/checkpoint_writer.h"

#include <chrono>
#include <exception>

#include "engine/core/log.h"

namespace lodestone {

namespace {

// A copy of the arrays in memory that serves the next copy too.
const TrainingArrays& copy_into(std::optional<TrainingArrays>& copy, const TrainingArrays& arrays) {
  if (!copy)
    return copy.emplace(TrainingArrays{arrays.layout, arrays.masters.clone(),
                                       arrays.first_moments.clone(), arrays.second_moments.clone(),
                                       arrays.updates});
  copy->masters.copy_from(arrays.masters);
  copy->first_moments.copy_from(arrays.first_moments);
  copy->second_moments.copy_from(arrays.second_moments);
  copy->updates = arrays.updates;
  return *copy;
}

}  // namespace

CheckpointWriter::~CheckpointWriter() {
  try {
    wait();
  } catch (const std::exception& error) {
    log::warning("a checkpoint could not be written: {}", error.what());
  }
}

void CheckpointWriter::start(const TrainingArrays& arrays, const RunState& state,
                             const TrainConfig& config) {
  wait();
  step_ = state.step;
  const TrainingArrays& content = background_ ? copy_into(copy_, arrays) : arrays;
  const auto save = [this, content, state, config] { folder_.save(content, state, config); };
  under_way_ = std::async(background_ ? std::launch::async : std::launch::deferred, save);
  if (!background_) wait();
}

void CheckpointWriter::check() {
  if (under_way_.valid() &&
      under_way_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    wait();
}

void CheckpointWriter::wait() {
  if (!under_way_.valid()) return;
  under_way_.get();
  saved_ = step_;
}

}  // namespace lodestone
