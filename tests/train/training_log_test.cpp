// Twelve steps of a training run whose numbers we did not compute: see tests/testing/golden.h.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/io/tensor_archive.h"
#include "tests/testing/golden_training.h"
#include "tests/testing/op_case.h"
#include "tests/testing/test_device.h"

namespace lodestone {
namespace {

using testing::fixture_batch;
using testing::fixture_settings;
using testing::golden_directory;
using testing::read_tensor;
using testing::relative_error;

void expect_close(double got, double golden, double bound, const std::string& what) {
  EXPECT_LE(std::abs(got - golden), bound * std::abs(golden))
      << what << ": " << got << " != " << golden;
}

TEST(TrainingLog, LossesNormsRatesAndFinalWeights) {
  const hdf5::File file = hdf5::File::open(golden_directory() / "golden.h5");
  const std::unique_ptr<Model> model =
      load_model(golden_directory(), DType::kF32, {.device = testing::test_device()});
  const hdf5::Dataset log = file.dataset("training/log");
  const std::int64_t steps = log.shape().at(0);
  const std::vector<double> rows = log.read<double>();
  Trainer trainer(*model, fixture_settings(), steps);
  for (std::int64_t step = 0; step < steps; ++step) {
    const StepReport report =
        trainer.step(fixture_batch(file, step, model->network.config().vocabulary));
    const double* const golden = &rows[static_cast<std::size_t>(5 * step)];
    const std::string where = fmt::format("step {}, ", step);
    expect_close(report.learning_rate, golden[0], 1e-12, where + "learning rate");
    expect_close(report.loss, golden[1], 1e-4, where + "loss");
    expect_close(report.id_loss, golden[2], 1e-4, where + "id loss");
    expect_close(report.value_loss, golden[3], 1e-4, where + "value loss");
    expect_close(report.gradient_norm, golden[4], 1e-3, where + "gradient norm");
  }
  const hdf5::Group final = file.group("training/final");
  std::size_t compared = 0;
  for (const NamedTensor& ours : published_tensors(*model)) {
    if (!final.has(ours.name)) continue;
    EXPECT_LE(relative_error(ours.tensor, read_tensor(final, ours.name)), 1e-4) << ours.name;
    ++compared;
  }
  EXPECT_EQ(compared, final.children().size());
}

}  // namespace
}  // namespace lodestone
