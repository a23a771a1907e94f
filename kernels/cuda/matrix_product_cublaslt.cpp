// Products by cuBLASLt. It stores matrices by columns: a row-major matrix is there its transpose,
// so c^T[n, m] = b^T @ a^T is asked for, with b as its first factor. Split sums are added up in the
// workspace, in one order: the same algorithm gives the same bits.
#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "engine/core/check.h"
#include "engine/core/cuda.h"
#include "engine/core/log.h"
#include "kernels/cuda/choices_cublaslt.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/matrix_product.h"

namespace lodestone::kernels {

namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what NVIDIA advises for Hopper
constexpr int kGuesses = 8;

template <class Opaque>
using Owned = std::unique_ptr<Opaque, cublasStatus_t (*)(Opaque*)>;
using Description = Owned<cublasLtMatmulDescOpaque_t>;
using Layout = Owned<cublasLtMatrixLayoutOpaque_t>;
using Preference = Owned<cublasLtMatmulPreferenceOpaque_t>;

// Throws, with what was called and cuBLASLt's reason, unless the call succeeded.
void cublaslt_check(cublasStatus_t status, const char* call,
                    std::source_location where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  throw_error(status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorKind::kOutOfMemory : ErrorKind::kDevice,
              fmt::format("cuBLASLt could not {}: {}", call, cublaslt().status_string(status)),
              where);
}

cudaDataType_t type_of(DType dtype) {
  check(dtype == DType::kF32 || dtype == DType::kBf16,
        "products on CUDA are of f32 or bf16, not of {}", name_of(dtype));
  return dtype == DType::kF32 ? CUDA_R_32F : CUDA_R_16BF;
}

// The product with every stride given.
MatrixProductArgs with_strides(MatrixProductArgs args) {
  if (args.a_stride == 0) args.a_stride = args.transpose_a ? args.m : args.k;
  if (args.b_stride == 0) args.b_stride = args.transpose_b ? args.k : args.n;
  if (args.c_stride == 0) args.c_stride = args.n;
  return args;
}

// The power of two of which an address is a multiple, up to what every parameter is aligned to: so
// equal layers share a choice.
std::uint32_t alignment_of(const void* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer) | 128;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

// Up to the next eighth of its power of two: products of nearly the same extents share a choice.
std::int64_t rounded_up(std::int64_t extent) {
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(extent)));
  const std::int64_t step = std::int64_t{1} << std::max(0, bits - 4);
  return (extent + step - 1) / step * step;
}

// What an algorithm is chosen by.
std::string kind_of(const MatrixProductArgs& p, bool tf32) {
  return fmt::format("{}{}-{}:{}{}:{}x{}x{}:{},{},{}:{},{},{}:{}{}{}{}", name_of(p.dtype),
                     tf32 ? "(tf32)" : "", name_of(p.result), p.transpose_a ? 't' : 'n',
                     p.transpose_b ? 't' : 'n', rounded_up(p.m), rounded_up(p.n), rounded_up(p.k),
                     p.a_stride, p.b_stride, p.c_stride, alignment_of(p.a), alignment_of(p.b),
                     alignment_of(p.c), p.accumulate ? "+accumulate" : "",
                     p.bias != nullptr ? "+bias" : "", p.gelu_tanh ? "+gelu" : "",
                     p.sums != nullptr ? "+sums" : "");
}

cublasLtEpilogue_t epilogue_of(const MatrixProductArgs& p) {
  const bool bias = p.bias != nullptr, sums = p.sums != nullptr;
  if (!p.gelu_tanh) return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (!sums) return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  return bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
}

Layout layout(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  cublaslt_check(cublaslt().make_layout(&made, type_of(dtype), static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(columns), stride),
                 "describe a matrix");
  return {made, cublaslt().destroy_layout};
}

template <class Value>
void describe(const Description& description, cublasLtMatmulDescAttributes_t attribute,
              const Value& value) {
  cublaslt_check(cublaslt().describe(description.get(), attribute, &value, sizeof value),
                 "describe a product");
}

template <class Value>
void prefer(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
            const Value& value) {
  cublaslt_check(cublaslt().prefer(preference.get(), attribute, &value, sizeof value),
                 "narrow a choice of algorithms");
}

Description description_of(const MatrixProductArgs& p, bool tf32) {
  cublasLtMatmulDesc_t made = nullptr;
  const bool round = tf32 && p.dtype == DType::kF32;
  cublaslt_check(cublaslt().make_description(
                     &made, round ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
                 "describe a product");
  Description description(made, cublaslt().destroy_description);
  describe(description, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  describe(description, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  describe(description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p));
  if (p.bias != nullptr) describe(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  if (p.sums != nullptr) {
    describe(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.sums);
    describe(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.c_stride);
  }
  return description;
}

// A product as cuBLASLt describes it.
struct Problem {
  Problem(const MatrixProductArgs& p, bool tf32)
      : args(p),
        description(description_of(p, tf32)),
        first(p.transpose_b ? layout(p.dtype, p.k, p.n, p.b_stride)
                            : layout(p.dtype, p.n, p.k, p.b_stride)),
        second(p.transpose_a ? layout(p.dtype, p.m, p.k, p.a_stride)
                             : layout(p.dtype, p.k, p.m, p.a_stride)),
        result(layout(p.result, p.n, p.m, p.c_stride)) {}
  const MatrixProductArgs& args;
  Description description;
  Layout first, second, result;
};

Preference preference_of(const MatrixProductArgs& p) {
  cublasLtMatmulPreference_t made = nullptr;
  cublaslt_check(cublaslt().make_preference(&made), "narrow a choice of algorithms");
  Preference preference(made, cublaslt().destroy_preference);
  const std::uint32_t in_workspace = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  prefer(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceBytes});
  prefer(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, in_workspace);
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(p.b));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(p.a));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(p.c));
  prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(p.c));
  return preference;
}

struct DeviceMemory {
  explicit DeviceMemory(std::size_t bytes) { cuda_check(cudaMalloc(&data, bytes)); }
  ~DeviceMemory() {
    if (const cudaError_t status = cudaFree(data); status != cudaSuccess)
      log::error("cudaFree: {}", cudaGetErrorString(status));
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  void* data = nullptr;
};

class Stopwatch {
 public:
  explicit Stopwatch(cudaStream_t stream) : stream_(stream) {
    for (cudaEvent_t& event : events_) cuda_check(cudaEventCreate(&event));
  }
  ~Stopwatch() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  // Milliseconds of what `work` puts on the stream. Waits for it.
  template <class Work>
  float time(const Work& work) {
    cuda_check(cudaEventRecord(events_[0], stream_));
    work();
    cuda_check(cudaEventRecord(events_[1], stream_));
    cuda_check(cudaEventSynchronize(events_[1]));
    float milliseconds = 0;
    cuda_check(cudaEventElapsedTime(&milliseconds, events_[0], events_[1]));
    return milliseconds;
  }

 private:
  cudaStream_t stream_;
  std::array<cudaEvent_t, 2> events_{};
};

// The products of one device.
class Multiplier {
 public:
  Multiplier(int device, const MatrixProductOptions& options)
      : workspace_(kWorkspaceBytes), options_(options) {
    cublaslt_check(cublaslt().create(&handle_), "start");
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, device));
    name_ = fmt::format("{} with cuBLASLt {}", properties.name, cublaslt().version());
    if (!options.timed || options.folder.empty()) return;
    std::string file = "products-" + name_;
    for (char& c : file)
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
    choices_ = AlgorithmChoices(options.folder / (file + ".txt"), name_);
  }

  ~Multiplier() { cublaslt().destroy(handle_); }
  Multiplier(const Multiplier&) = delete;
  Multiplier& operator=(const Multiplier&) = delete;

  void multiply(const MatrixProductArgs& args, cudaStream_t stream) {
    const Problem problem(args, options_.tf32);
    run(problem, args.c, algorithm(problem, stream), stream);
  }

 private:
  void run(const Problem& problem, void* c, const cublasLtMatmulAlgo_t& algorithm,
           cudaStream_t stream) const {
    const float alpha = 1, beta = problem.args.accumulate ? 1.0f : 0.0f;
    cublaslt_check(cublaslt().multiply(handle_, problem.description.get(), &alpha, problem.args.b,
                                       problem.first.get(), problem.args.a, problem.second.get(),
                                       &beta, c, problem.result.get(), c, problem.result.get(),
                                       &algorithm, workspace_.data, kWorkspaceBytes, stream),
                   "multiply");
  }

  cublasLtMatmulAlgo_t algorithm(const Problem& problem, cudaStream_t stream) {
    const std::string kind = kind_of(problem.args, options_.tf32);
    if (const Algorithm* chosen = choices_.find(kind)) {
      const auto algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(*chosen);
      // Extents of one kind differ a little, and a file may come from anywhere.
      return fits(problem, algorithm) ? algorithm : guesses(problem, 1).front();
    }
    cudaStreamCaptureStatus capture{};
    cuda_check(cudaStreamIsCapturing(stream, &capture));
    // Nothing can be timed while a graph is made: what it uses should have run before.
    const bool timed = options_.timed && capture == cudaStreamCaptureStatusNone;
    const cublasLtMatmulAlgo_t algorithm =
        timed ? fastest(problem, stream) : guesses(problem, 1).front();
    if (timed == options_.timed) choices_.add(kind, std::bit_cast<Algorithm>(algorithm));
    return algorithm;
  }

  bool fits(const Problem& problem, const cublasLtMatmulAlgo_t& algorithm) const {
    cublasLtMatmulHeuristicResult_t result{};
    return cublaslt().check(handle_, problem.description.get(), problem.first.get(),
                            problem.second.get(), problem.result.get(), problem.result.get(),
                            &algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= kWorkspaceBytes;
  }

  // At most `most`, the likeliest first, and at least one.
  std::vector<cublasLtMatmulAlgo_t> guesses(const Problem& problem, int most) const {
    std::array<cublasLtMatmulHeuristicResult_t, kGuesses> results{};
    int count = 0;
    const cublasStatus_t status =
        cublaslt().guess(handle_, problem.description.get(), problem.first.get(),
                         problem.second.get(), problem.result.get(), problem.result.get(),
                         preference_of(problem.args).get(), most, results.data(), &count);
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    for (int i = 0; i < count; ++i)
      if (results[static_cast<std::size_t>(i)].state == CUBLAS_STATUS_SUCCESS)
        algorithms.push_back(results[static_cast<std::size_t>(i)].algo);
    if (status != CUBLAS_STATUS_SUCCESS || algorithms.empty())
      fail(ErrorKind::kDevice, "{} has no algorithm for the product {} ({})", name_,
           kind_of(problem.args, options_.tf32), cublaslt().status_string(status));
    return algorithms;
  }

  // Of the guesses, by the time of a few runs each. One that adds to c adds to a copy's place.
  cublasLtMatmulAlgo_t fastest(const Problem& problem, cudaStream_t stream) const {
    const std::vector<cublasLtMatmulAlgo_t> all = guesses(problem, kGuesses);
    const MatrixProductArgs& args = problem.args;
    std::optional<DeviceMemory> place;
    if (args.accumulate)
      place.emplace(static_cast<std::size_t>(args.m * args.c_stride) * size_of(args.result));
    void* const c = args.accumulate ? place->data : args.c;
    Stopwatch stopwatch(stream);
    std::size_t best = 0;
    float least = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      run(problem, c, all[i], stream);
      constexpr int kRuns = 5;
      const float time = stopwatch.time([&] {
        for (int repeat = 0; repeat < kRuns; ++repeat) run(problem, c, all[i], stream);
      });
      if (i == 0 || time < least) {
        best = i;
        least = time;
      }
    }
    return all[best];
  }

  DeviceMemory workspace_;
  MatrixProductOptions options_;
  cublasLtHandle_t handle_ = nullptr;
  std::string name_;
  AlgorithmChoices choices_;
};

// By device. Never destroyed: at the end of the process the driver may be gone before them.
std::map<int, std::unique_ptr<Multiplier>>& multipliers() {
  static auto* made = new std::map<int, std::unique_ptr<Multiplier>>;
  return *made;
}

}  // namespace

void prepare_matrix_products(Device device, const MatrixProductOptions& options) {
  cuda_stream(device);  // throws where there is no such device
  cuda_check(cudaSetDevice(device.index));
  multipliers()[device.index] = std::make_unique<Multiplier>(device.index, options);
}

void matrix_product(const MatrixProductArgs& args, CudaStream& stream) {
  check(args.m >= 1 && args.n >= 1 && args.k >= 1,
        "products on CUDA are of at least one row, column and term, not {} x {} x {}", args.m,
        args.n, args.k);
  int device = 0;
  cuda_check(cudaStreamGetDevice(stream.native(), &device));
  auto& multiplier = multipliers()[device];
  if (!multiplier) multiplier = std::make_unique<Multiplier>(device, MatrixProductOptions{});
  multiplier->multiply(with_strides(args), stream.native());
}

}  // namespace lodestone::kernels
