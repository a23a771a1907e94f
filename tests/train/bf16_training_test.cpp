// bf16 against the golden fixture: within twice the error of PyTorch's bf16 autocast on the CPU, as
// tests/golden/bf16_autocast.py measured it (tests/golden/bf16_autocast.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/files.h"
#include "engine/io/tensor_archive.h"
#include "tests/testing/golden_training.h"
#include "tests/testing/op_case.h"
#include "tests/testing/test_device.h"

namespace lodestone {
namespace {

using namespace testing;

class Bf16 : public ::testing::Test {
 protected:
  Bf16()
      : file_(hdf5::File::open(golden_directory() / "golden.h5")),
        model_(load_model(golden_directory(), DType::kBf16, {.device = test_device()})) {
    const auto peer = nlohmann::json::parse(read_text("tests/golden/bf16_autocast.json"));
    const std::string fixture = golden_directory().filename().string();
    if (peer.at("errors").contains(fixture)) peer_ = peer.at("errors").at(fixture);
  }
  void SetUp() override {
    if (peer_.is_null())
      GTEST_SKIP() << "PyTorch's errors on " << golden_directory() << " were not measured";
  }
  void expect_within(const std::string& name, double ours, bool bounded = true) const {
    const auto theirs = peer_.at(name).get<double>();
    fmt::print("{:14} error {:.2e}, PyTorch's autocast {:.2e}{}\n", name, ours, theirs,
               bounded ? "" : " (not bounded)");
    if (bounded) {
      EXPECT_LE(ours, 2 * theirs) << name;
    }
  }

  hdf5::File file_;
  std::unique_ptr<Model> model_;
  nlohmann::json peer_;
};

double square(double x) {
  return x * x;
}

TEST_F(Bf16, HiddenStates) {
  const NoGrad no_grad;
  const Batch batch =
      pack(read_cells(file_.group("inputs"), true, "masked_input_ids", "masked_values"),
           model_->network.config().vocabulary);
  const Encoding encoding = model_->network.encode(batch, ForwardContext{}, true);
  double worst = 0;
  for (std::size_t k = 0; k < encoding.layers.size(); ++k)
    worst = std::max(
        worst,
        relative_error(encoding.layers[k],
                       real_rows(read_tensor(file_, fmt::format("outputs/masked/hidden_{}", k)),
                                 encoding.offsets)));
  expect_within("states", worst);
}

TEST_F(Bf16, TwelveTrainingSteps) {
  const hdf5::Dataset log = file_.dataset("training/log");
  const std::int64_t steps = log.shape().at(0);
  const std::vector<double> rows = log.read<double>();
  Trainer trainer(*model_, fixture_settings(), steps);
  double loss = 0, gradient_norm = 0, weights = 0;
  std::int64_t chosen = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const GlobalBatch batch = fixture_batch(file_, step, model_->network.config().vocabulary);
    const StepReport report = trainer.step(batch);
    chosen += batch.chosen;
    const double* const golden = &rows[static_cast<std::size_t>(5 * step)];
    loss += square(report.loss / golden[1] - 1);
    gradient_norm += square(report.gradient_norm / golden[4] - 1);
  }
  const hdf5::Group final = file_.group("training/final");
  for (const NamedTensor& ours : published_tensors(*model_))
    if (final.has(ours.name))
      weights = std::max(weights, relative_error(ours.tensor, read_tensor(final, ours.name)));
  const auto count = static_cast<double>(steps);
  // Over a handful of positions the two are chaotic: there they are printed, not bounded.
  constexpr std::int64_t kEnoughPositions = 16;
  const bool bounded = chosen >= kEnoughPositions * steps;
  expect_within("loss", std::sqrt(loss / count), bounded);
  expect_within("gradient_norm", std::sqrt(gradient_norm / count), bounded);
  expect_within("weights", weights);
}

}  // namespace
}  // namespace lodestone
