#include "kernels/cpu/matrix_product.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/core/error.h"
#include "engine/core/threads.h"
#include "kernels/visit.h"

// f32 and bf16 go to oneDNN. Every extent is a runtime extent there: packed batches change their
// number of rows at every step, and a primitive for fixed extents costs about a millisecond of
// compilation where one for any extents is as fast within a few percent and is made once.
// f64 is for checking: plain loops.
namespace lodestone::kernels {

namespace {

using dnnl::memory;
using Variant = std::tuple<DType, DType, bool, bool, bool, bool>;

Variant variant_of(const MatrixProduct& p) {
  return {p.dtype, p.result, p.transpose_a, p.transpose_b, p.bias != nullptr, p.accumulate};
}

memory::data_type type_of(DType dtype) {
  return dtype == DType::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

constexpr memory::dim kAny = DNNL_RUNTIME_DIM_VAL;

// Of any extents, its rows or (transposed) its columns contiguous.
memory::desc matrix(memory::dim rows, DType dtype, bool transposed) {
  const memory::dims strides = transposed ? memory::dims{1, kAny} : memory::dims{kAny, 1};
  return {memory::dims{rows, kAny}, type_of(dtype), strides};
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// Nothing where the processor has no instructions for the dtype.
std::optional<dnnl::matmul> make_primitive(const MatrixProduct& p) {
  const memory::desc a = matrix(kAny, p.dtype, p.transpose_a);
  const memory::desc b = matrix(kAny, p.dtype, p.transpose_b);
  const memory::desc c = matrix(kAny, p.result, false);
  dnnl::primitive_attr attributes;
  if (p.accumulate) {
    dnnl::post_ops add;
    add.append_sum(1.0f);
    attributes.set_post_ops(add);
  }
  const dnnl::matmul::desc description =
      p.bias ? dnnl::matmul::desc(a, b, matrix(1, p.dtype, false), c) : dnnl::matmul::desc(a, b, c);
  try {
    return dnnl::matmul(dnnl::matmul::primitive_desc(description, attributes, engine()));
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return std::nullopt;
    throw;
  }
}

// One set of primitives per calling thread: they keep scratch memory of their own.
const std::optional<dnnl::matmul>& primitive_for(const MatrixProduct& p) {
  thread_local std::map<Variant, std::optional<dnnl::matmul>> made;
  const auto found = made.find(variant_of(p));
  if (found != made.end()) return found->second;
  return made.emplace(variant_of(p), make_primitive(p)).first->second;
}

// oneDNN sums a bf16 result in an f32 copy that it allocates anew in every call: of whole logits,
// that takes a third of the time. Pieces of this many columns keep it small.
constexpr std::int64_t kColumnsAtOnce = 8192;

void multiply_columns(const dnnl::matmul& primitive, const MatrixProduct& p, std::int64_t first,
                      std::int64_t count) {
  const auto argument = [](std::int64_t rows, std::int64_t cols, DType dtype,
                           const memory::dims& strides, const void* data, std::int64_t offset) {
    const void* begin =
        static_cast<const std::byte*>(data) + static_cast<std::size_t>(offset) * size_of(dtype);
    return memory({memory::dims{rows, cols}, type_of(dtype), strides}, engine(),
                  const_cast<void*>(begin));
  };
  const memory::dims a_strides = p.transpose_a ? memory::dims{1, p.m} : memory::dims{p.k, 1};
  const memory::dims b_strides = p.transpose_b ? memory::dims{1, p.k} : memory::dims{p.n, 1};
  const std::int64_t b_offset = p.transpose_b ? first * p.k : first;
  std::unordered_map<int, memory> arguments{
      {DNNL_ARG_SRC, argument(p.m, p.k, p.dtype, a_strides, p.a, 0)},
      {DNNL_ARG_WEIGHTS, argument(p.k, count, p.dtype, b_strides, p.b, b_offset)},
      {DNNL_ARG_DST, argument(p.m, count, p.result, {p.n, 1}, p.c, first)}};
  if (p.bias)
    arguments.emplace(DNNL_ARG_BIAS, argument(1, count, p.dtype, {count, 1}, p.bias, first));
  thread_local dnnl::stream stream(engine());
  primitive.execute(stream, arguments);
  stream.wait();
}

void multiply(const dnnl::matmul& primitive, const MatrixProduct& p) {
  const std::int64_t step = p.result == DType::kBf16 ? kColumnsAtOnce : p.n;
  for (std::int64_t first = 0; first < p.n; first += step)
    multiply_columns(primitive, p, first, std::min(step, p.n - first));
}

std::vector<float> widened(const void* data, std::int64_t count) {
  const auto* from = static_cast<const BFloat16*>(data);
  return std::vector<float>(from, from + count);
}

// bf16 on a processor that cannot multiply it: the same product in f32, rounded once at the end.
void multiply_widened(const MatrixProduct& p) {
  const std::vector<float> a = widened(p.a, p.m * p.k), b = widened(p.b, p.k * p.n);
  const std::vector<float> bias = p.bias ? widened(p.bias, p.n) : std::vector<float>();
  MatrixProduct wide = p;
  wide.a = a.data();
  wide.b = b.data();
  wide.bias = p.bias ? bias.data() : nullptr;
  wide.dtype = wide.result = DType::kF32;
  if (p.result == DType::kF32) return matrix_product(wide);
  std::vector<float> c = p.accumulate ? widened(p.c, p.m * p.n)
                                      : std::vector<float>(static_cast<std::size_t>(p.m * p.n));
  wide.c = c.data();
  matrix_product(wide);
  std::transform(c.begin(), c.end(), static_cast<BFloat16*>(p.c),
                 [](float value) { return BFloat16(value); });
}

// Row i of an f64 product.
void multiply_row(const MatrixProduct& p, std::int64_t i) {
  const auto* a = static_cast<const double*>(p.a) + (p.transpose_a ? i : i * p.k);
  const auto* b = static_cast<const double*>(p.b);
  auto* c = static_cast<double*>(p.c) + i * p.n;
  const std::int64_t stride = p.transpose_a ? p.m : 1;
  if (p.transpose_b) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t l = 0; l < p.k; ++l) sum += a[l * stride] * b[j * p.k + l];
      c[j] += sum;
    }
    return;
  }
  for (std::int64_t l = 0; l < p.k; ++l) {
    const double factor = a[l * stride];
#pragma omp simd
    for (std::int64_t j = 0; j < p.n; ++j) c[j] += factor * b[l * p.n + j];
  }
}

// c = bias, or 0, unless c is to be added to.
template <class T>
void begin_result(const MatrixProduct& p, std::int64_t begin, std::int64_t end) {
  if (p.accumulate) return;
  const auto* bias = static_cast<const T*>(p.bias);
  for (std::int64_t i = begin; i < end; ++i) {
    T* c = static_cast<T*>(p.c) + i * p.n;
    if (bias)
      std::copy_n(bias, p.n, c);
    else
      std::fill_n(c, p.n, T{});
  }
}

void multiply_f64(const MatrixProduct& p) {
  const std::int64_t work_per_row = std::max<std::int64_t>(1, p.n * p.k);
  parallel_for(p.m, 1 + 32768 / work_per_row, [&](std::int64_t begin, std::int64_t end) {
    begin_result<double>(p, begin, end);
    for (std::int64_t i = begin; i < end; ++i) multiply_row(p, i);
  });
}

}  // namespace

void matrix_product(const MatrixProduct& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.dtype == DType::kF64) return multiply_f64(p);
  if (p.k == 0) return visit_floating_cpu(p.result, [&]<class T>() { begin_result<T>(p, 0, p.m); });
  try {
    if (const auto& primitive = primitive_for(p)) return multiply(*primitive, p);
  } catch (const dnnl::error& error) {
    throw_error(error.status == dnnl_out_of_memory ? ErrorKind::kOutOfMemory : ErrorKind::kInternal,
                std::string("matrix product: oneDNN says: ") + error.what());
  }
  multiply_widened(p);
}

}  // namespace lodestone::kernels
