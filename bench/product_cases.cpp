#include "bench/op_case.h"

namespace lodestone::bench {

namespace {

struct Layer {
  std::int64_t rows, in, out;
  Activation activation = Activation::kNone;
  bool constant_input = false;  // nobody wants its gradient
};

OpCase linear_case(const OpInputs& in, const Layer& layer) {
  const auto [rows, width, out, activation, constant_input] = layer;
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(width) * static_cast<double>(out);
  const double bytes = in.bytes(rows * width + width * out + rows * out);
  OpCase made{.forward_work = {.flops = flops, .bytes = bytes},
              .backward_work = {.flops = (constant_input ? 1 : 2) * flops,
                                .bytes = bytes + in.wide_bytes(width * out)},
              .roof = multiplies(in.dtype)};
  made.forward_products = {
      {.m = rows, .n = out, .k = width, .dtype = in.dtype, .result = in.dtype}};
  made.backward_products = {{.m = out,
                             .n = width,
                             .k = rows,
                             .transpose_a = true,
                             .constant_b = false,
                             .dtype = in.dtype,
                             .result = accumulation_type(in.dtype)}};
  if (!constant_input)
    made.backward_products.push_back(
        {.m = rows, .n = width, .k = out, .dtype = in.dtype, .result = in.dtype});
  made.forward = [&in, x = in.random({rows, width}), weight = in.parameter({out, width}),
                  bias = in.parameter({out}), activation = activation,
                  constant_input = constant_input] {
    return linear(constant_input ? Var(x) : in.activation(x), weight, bias, activation);
  };
  return made;
}

}  // namespace

std::vector<NamedCase> product_cases(const OpInputs& in) {
  const auto H = in.H, F = in.model.intermediate, P = in.model.prior_width;
  const auto parts = 1 + static_cast<std::int64_t>(in.model.priors().size());
  const std::vector<std::pair<std::string, Layer>> layers = {
      {"query_key_value", {in.R, H, 3 * H}},
      {"attention_output", {in.R, H, H}},
      {"intermediate", {in.R, H, F, Activation::kGelu}},
      {"output", {in.R, F, H}},
      {"prior_projection", {in.U, P, H, Activation::kNone, true}},
      {"concatenation", {in.U, parts * H, H}},
      {"head_transform", {in.M, H, H, Activation::kGelu}},
      {"gene_decoder", {in.M, H, in.V}}};
  std::vector<NamedCase> cases;
  cases.reserve(layers.size());
  for (const auto& [name, layer] : layers)
    cases.push_back({"linear_" + name, [&in, layer = layer] { return linear_case(in, layer); }});
  return cases;
}

}  // namespace lodestone::bench
