// The products of kernels/cuda/matrix_product.h for programs on the interpreter: the CPU backend's,
// in the device's memory. What reaches outside of an allocation is a finding, as in a kernel.
#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/core/check.h"
#include "kernels/cpu/gelu.h"
#include "kernels/cpu/matrix_product.h"
#include "kernels/cuda/matrix_product.h"
#include "kernels/visit.h"
#include "tests/gpu/runtime/device_state.h"

namespace lodestone::kernels {

namespace {

// Some rows of the device's memory; `stride` elements apart.
struct Rows {
  const char* name;
  const void* data;
  std::int64_t rows, columns, stride;
  DType dtype;

  std::size_t bytes_of(std::int64_t elements) const {
    return static_cast<std::size_t>(elements) * size_of(dtype);
  }
  std::size_t extent() const { return bytes_of((rows - 1) * stride + columns); }
};

Rows rows_of(const char* name, const void* data, std::int64_t rows, std::int64_t columns,
             std::int64_t stride, DType dtype) {
  return {name, data, rows, columns, stride == 0 ? columns : stride, dtype};
}

// Whether they lie within one allocation; if not, the device is at fault from here on.
bool is_within(const Rows& matrix) {
  ptx::DeviceState& device = ptx::device();
  const auto address = reinterpret_cast<std::uint64_t>(matrix.data);
  if (device.memory().find(address, matrix.extent()) != nullptr) return true;
  device.fault({.kind = ptx::FindingKind::kOutOfBounds,
                .message = fmt::format("{} of a matrix product, {} x {} of {} with stride {} at "
                                       "{:#x}, reaches outside of an allocation",
                                       matrix.name, matrix.rows, matrix.columns,
                                       name_of(matrix.dtype), matrix.stride, address),
                .kernel = "matrix_product"});
  return false;
}

// Their elements with no gaps between rows.
class Packed {
 public:
  explicit Packed(const Rows& matrix)
      : matrix_(matrix), bytes_(matrix.bytes_of(matrix.rows * matrix.columns)) {
    for_rows([](std::byte* packed, std::byte* there, std::size_t bytes) {
      std::memcpy(packed, there, bytes);
    });
  }
  std::byte* data() { return bytes_.data(); }
  void put_back() {
    for_rows([](std::byte* packed, std::byte* there, std::size_t bytes) {
      std::memcpy(there, packed, bytes);
    });
  }

 private:
  template <class Copy>
  void for_rows(const Copy& copy) {
    auto* there = static_cast<std::byte*>(const_cast<void*>(matrix_.data));
    const std::size_t bytes = matrix_.bytes_of(matrix_.columns);
    for (std::int64_t row = 0; row < matrix_.rows; ++row)
      copy(bytes_.data() + static_cast<std::size_t>(row) * bytes,
           there + matrix_.bytes_of(row * matrix_.stride), bytes);
  }
  Rows matrix_;
  std::vector<std::byte> bytes_;
};

// c = GELU(sums), from sums that are not rounded yet; both are rounded here.
void apply_gelu(const MatrixProductArgs& args, const std::vector<float>& sums, void* c,
                void* rounded_sums) {
  visit_floating_cpu(args.result, [&]<class T>() {
    const auto round = [](float value) { return static_cast<T>(value); };
    if (rounded_sums != nullptr)
      std::transform(sums.begin(), sums.end(), static_cast<T*>(rounded_sums), round);
    std::transform(sums.begin(), sums.end(), static_cast<T*>(c),
                   [&](float sum) { return round(gelu_tanh(sum)); });
  });
}

}  // namespace

void prepare_matrix_products(Device, const MatrixProductOptions&) {}

void matrix_product(const MatrixProductArgs& args, CudaStream&) {
  check(args.m >= 1 && args.n >= 1 && args.k >= 1,
        "products on CUDA are of at least one row, column and term, not {} x {} x {}", args.m,
        args.n, args.k);
  check(!args.gelu_tanh || (args.n % 8 == 0 && !args.accumulate),
        "GELU within a product needs a multiple of 8 columns, and none to add to");
  check(args.bias == nullptr || !args.accumulate, "a product adds a bias or to c, not both");
  if (ptx::device().sticky() != cudaSuccess) return;
  const std::int64_t m = args.m, n = args.n, k = args.k;
  const Rows a = args.transpose_a ? rows_of("a", args.a, k, m, args.a_stride, args.dtype)
                                  : rows_of("a", args.a, m, k, args.a_stride, args.dtype);
  const Rows b = args.transpose_b ? rows_of("b", args.b, n, k, args.b_stride, args.dtype)
                                  : rows_of("b", args.b, k, n, args.b_stride, args.dtype);
  const Rows c = rows_of("c", args.c, m, n, args.c_stride, args.result);
  const Rows bias = rows_of("bias", args.bias, 1, n, 0, args.dtype);
  const Rows sums = rows_of("sums", args.sums, m, n, args.c_stride, args.result);
  if (!is_within(a) || !is_within(b) || !is_within(c)) return;
  if (args.bias != nullptr && !is_within(bias)) return;
  if (args.sums != nullptr && !is_within(sums)) return;

  Packed packed_a(a), packed_b(b), packed_c(c);
  std::vector<float> unrounded(args.gelu_tanh ? static_cast<std::size_t>(m * n) : 0);
  matrix_product({.a = packed_a.data(),
                  .b = packed_b.data(),
                  .bias = args.bias,
                  .c = args.gelu_tanh ? static_cast<void*>(unrounded.data()) : packed_c.data(),
                  .m = m,
                  .n = n,
                  .k = k,
                  .transpose_a = args.transpose_a,
                  .transpose_b = args.transpose_b,
                  .accumulate = args.accumulate,
                  .dtype = args.dtype,
                  .result = args.gelu_tanh ? DType::kF32 : args.result});
  if (args.gelu_tanh) {
    std::optional<Packed> packed_sums;
    if (args.sums != nullptr) packed_sums.emplace(sums);
    apply_gelu(args, unrounded, packed_c.data(), packed_sums ? packed_sums->data() : nullptr);
    if (packed_sums) packed_sums->put_back();
  }
  packed_c.put_back();
}

}  // namespace lodestone::kernels
