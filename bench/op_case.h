#pragma once
// An op at one shape, ready to be run again and again.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/library_product.h"
#include "bench/row.h"
#include "engine/ops.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/token_table.h"

namespace lodestone::bench {

// Bytes count what the op reads and writes, with what it keeps for its backward. FLOPs are those of
// the model: a backward counts twice its forward, whatever it computes again.
struct OpCase {
  std::function<Var()> forward = {};
  Work forward_work = {}, backward_work = {};
  Roof roof = Roof::kCopy;
  std::vector<ProductShape> forward_products = {}, backward_products = {};
};

// Inputs are made only for a case that is run.
struct NamedCase {
  std::string name;
  std::function<OpCase()> make;
};

// The extents of a batch as the model sees it, and inputs of them.
class OpInputs {
 public:
  OpInputs(const ModelConfig& model, Batch batch, DType dtype, Device device = Device::cpu());

  // Random numbers in (-1, 1) of the op's dtype.
  Tensor random(const lodestone::Shape& shape) const;
  // A weight with the gradient that a store would have.
  Var parameter(const lodestone::Shape& shape) const;
  // The result of an op before: its gradient has the op's dtype. Good for one backward.
  Var activation(const Tensor& value) const;
  Dropout dropout(double probability, std::int64_t rows) const;

  const ModelConfig model;
  const Batch batch;
  const TokenPairs pairs;
  const DType dtype;
  const Device device;
  const std::int64_t N, B, R, M, U;  // tokens, cells, states, chosen rows, rows of the table
  const std::int64_t H, V;           // hidden, vocabulary
  const Tensor state_offsets;        // i64 [B + 1], in states
  const Tensor chosen_offsets;       // i64 [B + 1], in chosen rows
  double bytes(std::int64_t elements) const { return static_cast<double>(elements) * item_; }
  double wide_bytes(std::int64_t elements) const { return static_cast<double>(elements) * 4; }

 private:
  double item_;
  Var anchor_;
};

// The inputs must outlive what these make.
std::vector<NamedCase> product_cases(const OpInputs& in);
std::vector<NamedCase> attention_cases(const OpInputs& in);
std::vector<NamedCase> state_cases(const OpInputs& in);
std::vector<NamedCase> embedding_cases(const OpInputs& in);
std::vector<NamedCase> loss_cases(const OpInputs& in);

}  // namespace lodestone::bench
