#include "tests/gpu/cublaslt/stand_in.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <thread>

#include "engine/core/bfloat16.h"
#include "kernels/cpu/gelu.h"
#include "kernels/cuda/cublaslt.h"

namespace lodestone::testing {

CublasLtStandIn& stand_in() {
  static CublasLtStandIn one;
  return one;
}

}  // namespace lodestone::testing

namespace lodestone::kernels {

namespace {

using testing::stand_in;

constexpr std::uint64_t kAlgorithms = 3, kFast = 1;

// What the library's opaque pointers point to here. Attributes are kept as eight bytes each.
struct Attributes {
  std::map<int, std::uint64_t> values;
  cublasStatus_t set(int attribute, const void* from, std::size_t bytes) {
    std::uint64_t value = 0;
    if (bytes > sizeof value) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&value, from, bytes);
    values[attribute] = value;
    return CUBLAS_STATUS_SUCCESS;
  }
  std::uint64_t get(int attribute) const {
    const auto found = values.find(attribute);
    return found == values.end() ? 0 : found->second;
  }
  template <class T>
  T* pointer(int attribute) const {
    return std::bit_cast<T*>(get(attribute));
  }
};
struct Product : Attributes {
  cublasComputeType_t compute;
};
struct Layout {
  cudaDataType type;
  std::int64_t rows, columns, stride;
};

template <class Of, class Opaque>
Of& behind(Opaque* pointer) {
  return *reinterpret_cast<Of*>(pointer);
}
template <class Opaque, class Of>
cublasStatus_t make(Opaque** pointer, Of* made) {
  *pointer = reinterpret_cast<Opaque*>(made);
  return CUBLAS_STATUS_SUCCESS;
}
template <class Of, class Opaque>
cublasStatus_t destroy(Opaque* pointer) {
  delete reinterpret_cast<Of*>(pointer);
  return CUBLAS_STATUS_SUCCESS;
}

// Element i of a vector, or of a matrix by columns.
double read(const void* data, cudaDataType type, std::int64_t i) {
  return type == CUDA_R_32F ? static_cast<const float*>(data)[i]
                            : static_cast<float>(static_cast<const BFloat16*>(data)[i]);
}
void write(void* data, cudaDataType type, std::int64_t i, double value) {
  const auto narrow = static_cast<float>(value);
  if (type == CUDA_R_32F)
    static_cast<float*>(data)[i] = narrow;
  else
    static_cast<BFloat16*>(data)[i] = BFloat16(narrow);
}
double read(const void* data, const Layout& layout, bool transposed, std::int64_t row,
            std::int64_t column) {
  return read(data, layout.type,
              transposed ? row * layout.stride + column : column * layout.stride + row);
}

bool fits(const Layout& layout, bool transposed, std::int64_t rows, std::int64_t columns) {
  return (transposed ? layout.columns : layout.rows) == rows &&
         (transposed ? layout.rows : layout.columns) == columns && layout.stride >= layout.rows;
}

cublasStatus_t multiply(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                        const void* a, cublasLtMatrixLayout_t a_opaque, const void* b,
                        cublasLtMatrixLayout_t b_opaque, const void* beta, const void* c,
                        cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_opaque,
                        const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                        std::size_t workspace_bytes, cudaStream_t) {
  const auto& product = behind<Product>(description);
  const auto &first = behind<Layout>(a_opaque), &second = behind<Layout>(b_opaque),
             &result = behind<Layout>(d_opaque);
  const bool transpose_a = product.get(CUBLASLT_MATMUL_DESC_TRANSA) == CUBLAS_OP_T;
  const bool transpose_b = product.get(CUBLASLT_MATMUL_DESC_TRANSB) == CUBLAS_OP_T;
  const std::int64_t terms = transpose_a ? first.rows : first.columns;
  if (!fits(first, transpose_a, result.rows, terms) ||
      !fits(second, transpose_b, terms, result.columns) || workspace == nullptr ||
      workspace_bytes < (std::size_t{32} << 20) || stand_in().fails)
    return CUBLAS_STATUS_INVALID_VALUE;
  stand_in().last_compute_type = product.compute;
  stand_in().algorithms.push_back(algorithm->data[0]);
  if (algorithm->data[0] != kFast)
    std::this_thread::sleep_for(std::chrono::milliseconds(stand_in().milliseconds));
  const auto epilogue = product.get(CUBLASLT_MATMUL_DESC_EPILOGUE);
  const bool gelu = (epilogue & CUBLASLT_EPILOGUE_GELU) != 0;
  const bool has_bias = (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
  const bool keeps_sums = (epilogue & 128) != 0;  // the bit of the _AUX epilogues
  const auto sums_stride =
      static_cast<std::int64_t>(product.get(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD));
  if (keeps_sums && (sums_stride % 8 != 0 || sums_stride < result.rows))
    return CUBLAS_STATUS_INVALID_VALUE;
  const float scale = *static_cast<const float*>(beta);
  for (std::int64_t column = 0; column < result.columns; ++column) {
    for (std::int64_t row = 0; row < result.rows; ++row) {
      const std::int64_t at = column * result.stride + row;
      double sum = 0;
      for (std::int64_t l = 0; l < terms; ++l)
        sum += read(a, first, transpose_a, row, l) * read(b, second, transpose_b, l, column);
      sum *= *static_cast<const float*>(alpha);
      if (scale != 0) sum += scale * read(c, result.type, at);
      if (has_bias)
        sum +=
            read(product.pointer<const void>(CUBLASLT_MATMUL_DESC_BIAS_POINTER), result.type, row);
      if (keeps_sums)
        write(product.pointer<void>(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER), result.type,
              column * sums_stride + row, sum);
      write(d, result.type, at, gelu ? gelu_tanh(sum) : sum);
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t guess(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                     cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                     cublasLtMatmulPreference_t preference, int requested,
                     cublasLtMatmulHeuristicResult_t* results, int* count) {
  ++stand_in().guesses;
  stand_in().preferences = behind<Attributes>(preference).values;
  *count = stand_in().knows_no_algorithm ? 0 : std::min(requested, static_cast<int>(kAlgorithms));
  for (int i = 0; i < *count; ++i) {
    results[i] = {};
    results[i].algo.data[0] = static_cast<std::uint64_t>(i);
  }
  return *count > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t check(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                     cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                     const cublasLtMatmulAlgo_t* algorithm, cublasLtMatmulHeuristicResult_t*) {
  return algorithm->data[0] < kAlgorithms ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

CublasLt functions() {
  CublasLt f;
  f.create = [](cublasLtHandle_t*) { return CUBLAS_STATUS_SUCCESS; };
  f.destroy = [](cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; };
  f.version = [] { return std::size_t{130000}; };
  f.status_string = [](cublasStatus_t status) {
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "invalid value";
  };
  f.make_description = [](cublasLtMatmulDesc_t* made, cublasComputeType_t type, cudaDataType_t) {
    return make(made, new Product{{}, type});
  };
  f.destroy_description = [](cublasLtMatmulDesc_t made) { return destroy<Product>(made); };
  f.describe = [](cublasLtMatmulDesc_t to, cublasLtMatmulDescAttributes_t attribute,
                  const void* from,
                  std::size_t bytes) { return behind<Product>(to).set(attribute, from, bytes); };
  f.make_layout = [](cublasLtMatrixLayout_t* made, cudaDataType type, std::uint64_t rows,
                     std::uint64_t columns, std::int64_t stride) {
    return make(made, new Layout{type, static_cast<std::int64_t>(rows),
                                 static_cast<std::int64_t>(columns), stride});
  };
  f.destroy_layout = [](cublasLtMatrixLayout_t made) { return destroy<Layout>(made); };
  f.make_preference = [](cublasLtMatmulPreference_t* made) { return make(made, new Attributes); };
  f.destroy_preference = [](cublasLtMatmulPreference_t made) { return destroy<Attributes>(made); };
  f.prefer = [](cublasLtMatmulPreference_t to, cublasLtMatmulPreferenceAttributes_t attribute,
                const void* from,
                std::size_t bytes) { return behind<Attributes>(to).set(attribute, from, bytes); };
  f.guess = &guess;
  f.check = &check;
  f.multiply = &multiply;
  return f;
}

}  // namespace

// In place of the one in load_cublaslt.cpp.
const CublasLt& cublaslt() {
  static const CublasLt made = functions();
  return made;
}

}  // namespace lodestone::kernels
