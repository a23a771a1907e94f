// The model against numbers we did not compute: see tests/testing/golden.h.
#include "tests/testing/golden.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/io/tensor_archive.h"
#include "model/model_directory.h"
#include "tests/testing/op_case.h"
#include "tests/testing/test_device.h"

namespace lodestone {
namespace {

using testing::golden_directory;
using testing::read_cells;
using testing::read_scalar;
using testing::read_tensor;
using testing::real_rows;
using testing::relative_error;
using testing::test_device;

constexpr double kForward = 1e-5;

class Golden : public ::testing::Test {
 protected:
  Golden()
      : file_(hdf5::File::open(golden_directory() / "golden.h5")),
        model_(load_model(golden_directory(), DType::kF32, {.device = test_device()})) {}

  std::int64_t vocabulary() const { return model_->network.config().vocabulary; }
  Batch batch(bool masked) const {
    const hdf5::Group inputs = file_.group("inputs");
    return masked
               ? pack(read_cells(inputs, true, "masked_input_ids", "masked_values"), vocabulary())
               : pack(read_cells(inputs, false, "input_ids", "values"), vocabulary());
  }
  // Every token's row of the encoding, CLS left out.
  Tensor gene_rows(const Batch& b) const {
    std::vector<std::int32_t> rows(static_cast<std::size_t>(b.tokens()));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i);
    return model_->network.state_rows(b, Tensor::from(rows));
  }
  void expect_hidden_states(const std::string& outputs, bool masked) const {
    const NoGrad no_grad;
    const Encoding encoding = model_->network.encode(batch(masked), ForwardContext{}, true);
    ASSERT_EQ(static_cast<std::int64_t>(encoding.layers.size()),
              model_->network.config().layers + 1);
    for (std::size_t k = 0; k < encoding.layers.size(); ++k) {
      const Tensor golden = read_tensor(file_, outputs + "/hidden_" + std::to_string(k));
      EXPECT_LE(relative_error(encoding.layers[k], real_rows(golden, encoding.offsets)), kForward)
          << "layer " << k;
    }
  }

  hdf5::File file_;
  std::unique_ptr<Model> model_;
};

TEST_F(Golden, HiddenStatesOfUnmaskedCells) {
  expect_hidden_states("outputs/clean", false);
}

TEST_F(Golden, HiddenStatesOfMaskedCells) {
  expect_hidden_states("outputs/masked", true);
}

TEST_F(Golden, LogitsAndPredictedValues) {
  const NoGrad no_grad;
  const Batch b = batch(true);
  const Encoding encoding = model_->network.encode(b, ForwardContext{});
  const Tensor logits = model_->network.gene_logits(encoding, gene_rows(b)).value();
  const Tensor values = model_->network.predicted_values(encoding, gene_rows(b)).value();
  const hdf5::Group masked = file_.group("outputs/masked");
  EXPECT_LE(relative_error(logits, real_rows(read_tensor(masked, "logits"), b.offsets)), kForward);
  EXPECT_LE(relative_error(values, real_rows(read_tensor(masked, "predicted_values"), b.offsets)),
            kForward);
}

TEST_F(Golden, LossesAndEveryGradient) {
  const Batch b = batch(true);
  TokenTable table = model_->network.token_table({&b, 1}, ForwardContext{});
  const Losses losses =
      model_->network.losses(b, table, ForwardContext{.training = true}, b.chosen());
  const auto chosen = static_cast<double>(b.chosen());
  const hdf5::Group masked = file_.group("outputs/masked");
  const auto expect_close = [](double got, double golden) {
    EXPECT_LE(std::abs(got - golden), kForward * std::abs(golden)) << got << " != " << golden;
  };
  expect_close(losses.id_sum() / chosen, read_scalar(masked, "id_loss"));
  expect_close(losses.value_sum() / chosen, read_scalar(masked, "value_loss"));
  expect_close(losses.total.value().to(Device::cpu()).host<float>()[0],
               read_scalar(masked, "loss"));

  model_->store.zero_gradients();
  backward(losses.total, Tensor::from(std::vector<float>{1}).to(test_device()));
  table.backward();
  const auto norm = [](const Tensor& t) {
    double squares = 0;
    for (const float v : t.host<float>()) squares += static_cast<double>(v) * v;
    return std::sqrt(squares);
  };
  const hdf5::Group gradients = file_.group("gradients");
  double all = 0;
  for (const std::string& name : gradients.children())
    all = std::hypot(all, norm(read_tensor(gradients, name)));
  std::size_t compared = 0;
  for (const NamedTensor& ours : published_gradients(*model_)) {
    const Tensor golden = read_tensor(gradients, ours.name);
    ASSERT_EQ(ours.tensor.shape(), golden.shape()) << ours.name;
    Tensor difference = ours.tensor.clone();
    for (std::size_t i = 0; i < difference.host<float>().size(); ++i)
      difference.host<float>()[i] -= golden.host<float>()[i];
    EXPECT_LE(norm(difference), 1e-4 * norm(golden) + 1e-8 * all) << ours.name;
    ++compared;
  }
  EXPECT_EQ(compared, gradients.children().size());
}

TEST_F(Golden, CellClassifier) {
  if (!model_->network.config().use_cls_token) GTEST_SKIP() << "this fixture has no CLS token";
  const NoGrad no_grad;
  const hdf5::Group group = file_.group("classifier");
  const std::int64_t classes = group.dataset("logits").shape()[1];
  ParameterStore store;
  const CellClassifier classifier(store, model_->network.config(), classes);
  store.materialize(test_device(), DType::kF32, 0);
  for (Parameter& p : store.parameters())
    p.master.copy_from(read_tensor(group.group("weights"), p.name));
  const Encoding encoding = model_->network.encode(batch(false), ForwardContext{});
  std::vector<std::int32_t> cls_rows;
  for (const std::int64_t offset : encoding.offsets.host<std::int64_t>())
    cls_rows.push_back(static_cast<std::int32_t>(offset));
  cls_rows.pop_back();
  const Var logits = classifier(gather_rows(encoding.states, Tensor::from(cls_rows)), Dropout{});
  EXPECT_LE(relative_error(logits.value(), read_tensor(group, "logits")), kForward);
  const auto labels = group.dataset("labels").read<std::int32_t>();
  const Var sum = cross_entropy(logits, Tensor::from(labels));
  const double loss =
      sum.value().to(Device::cpu()).host<float>()[0] / static_cast<double>(labels.size());
  EXPECT_NEAR(loss, read_scalar(group, "loss"), kForward * loss);
}

TEST_F(Golden, PublishedNamesAllMatch) {
  NameReport report;
  load_model(golden_directory(), DType::kF32, {.report = &report});
  EXPECT_TRUE(report.missing.empty());
  EXPECT_TRUE(report.unexpected.empty());
  EXPECT_EQ(report.matched.size(), published_tensors(*model_).size());
}

}  // namespace
}  // namespace lodestone
