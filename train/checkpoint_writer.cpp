#include "train/checkpoint_writer.h"

#include <chrono>
#include <exception>

#include "engine/core/log.h"

namespace lodestone {

namespace {

Tensor host_copy(const Tensor& tensor) {
  Tensor copy = Tensor::empty(tensor.shape(), tensor.dtype(), Device::cpu());
  copy.copy_from(tensor);
  return copy;
}

// A copy of the arrays in the host's memory that serves the next copy too.
const TrainingArrays& copy_into(std::optional<TrainingArrays>& copy, const TrainingArrays& arrays) {
  if (!copy)
    return copy.emplace(TrainingArrays{arrays.layout, host_copy(arrays.masters),
                                       host_copy(arrays.first_moments),
                                       host_copy(arrays.second_moments), arrays.updates});
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
  const bool copied = background_ || !arrays.masters.device().is_cpu();
  const TrainingArrays& content = copied ? copy_into(copy_, arrays) : arrays;
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
