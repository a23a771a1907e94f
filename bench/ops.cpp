// Every op, forward and backward, at the shapes of the model.
#include <fmt/format.h>

#include "bench/cells.h"
#include "bench/op_case.h"
#include "bench/suite.h"
#include "engine/core/profile.h"

namespace lodestone::bench {

namespace {

using Library = std::vector<std::function<void()>>;

Library library_of(const std::vector<ProductShape>& products) {
  Library made;
  for (const ProductShape& product : products) {
    made.push_back(library_product(product));
    if (!made.back()) return {};
  }
  return made;
}

double forward_seconds(Stopwatch& stopwatch, const OpCase& op) {
  Var y;
  return stopwatch.without_gaps([&] { y = op.forward(); });
}

double backward_seconds(Stopwatch& stopwatch, const OpCase& op, const Tensor& dy) {
  const Var y = op.forward();
  return stopwatch.without_gaps([&] { backward(y, dy); });
}

double library_seconds(const Library& library) {
  return seconds_of([&] {
    for (const auto& product : library) product();
  });
}

// Where a library for the CPU has the same products, they run in turn with ours, so that both meet
// the same neighbours. On CUDA our products are a library's.
Row measured(const Suite& suite, const OpInputs& in, const std::string& name, const OpCase& op,
             Pass pass) {
  const bool forward = pass == Pass::kForward;
  const Library library = in.device.is_cpu()
                              ? library_of(forward ? op.forward_products : op.backward_products)
                              : Library{};
  const Tensor y = op.forward().value();
  const Tensor dy =
      y.numel() == 1 ? Tensor::from(std::vector<float>{1}).to(in.device) : in.random(y.shape());
  Stopwatch stopwatch(in.device, suite.beyond_caches);
  std::vector<double> shares;
  const Timing timing = measure(name, suite.effort, [&] {
    const double theirs = library_seconds(library);
    const double ours =
        forward ? forward_seconds(stopwatch, op) : backward_seconds(stopwatch, op, dy);
    shares.push_back(theirs / ours);
    return ours;
  });
  return {.name = name,
          .timing = timing,
          .work = forward ? op.forward_work : op.backward_work,
          .roof = op.roof,
          .share_of_library = library.empty() ? 0 : median_of(shares)};
}

void measure_case(const Suite& suite, const std::string& batch, const OpInputs& in,
                  const NamedCase& named) {
  const auto name = [&](const char* pass) {
    return fmt::format("{}/{}/{}/{}", named.name, batch, pass, name_of(in.dtype));
  };
  const std::string forward = name("forward"), backward = name("backward");
  if (!suite.wants(forward) && !suite.wants(backward)) return;
  const OpCase op = named.make();
  if (suite.wants(forward)) suite.report(measured(suite, in, forward, op, Pass::kForward));
  if (suite.wants(backward)) suite.report(measured(suite, in, backward, op, Pass::kBackward));
}

}  // namespace

void measure_ops(const Suite& suite) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> batches = {
      {"full", suite.shape.full}, {"mix", suite.shape.mix}};
  for (const auto& [name, lengths] : batches) {
    const std::filesystem::path path = folder.path() / name;
    write_cells(path, lengths, suite.shape.model.vocabulary, suite.seed);
    const TokenDirectory cells(path);
    constexpr std::int64_t kAtOnce = std::int64_t{1} << 30;
    const Batch batch =
        batch_of(cells, {.micro_batch_tokens = kAtOnce, .seed = suite.seed}).micro_batches.front();
    for (const DType dtype : suite.dtypes) {
      const OpInputs in(suite.shape.model, batch, dtype, suite.device);
      for (const auto& cases : {product_cases(in), attention_cases(in), state_cases(in),
                                embedding_cases(in), loss_cases(in)})
        for (const NamedCase& one : cases) measure_case(suite, name, in, one);
    }
  }
}

}  // namespace lodestone::bench
