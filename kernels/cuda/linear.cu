// Products by matrix_product, and around them one pass over [rows, out] each way, 16 bytes an
// access. Forward: the activation, 2 elements moved for each (the tanh form is done within the
// product where rows allow it). Backward: its derivative and the bias gradient at once, 3 elements
// moved for each (1 without activation): a block has a tile of columns and a run of rows, and its
// warps' sums make parts[run], which a last kernel adds up. No atomics, the same bits every time.
#include "engine/core/cuda.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/column_totals.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/gelu.cuh"
#include "kernels/cuda/matrix_product.h"
#include "kernels/cuda/visit.h"
#include "kernels/linear.h"
#include "kernels/row_blocks.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 8;
constexpr unsigned kThreads = kWarps * kWarpSize;

struct NoActivation {};

// The gradients of one chunk, as they go into the products: dy itself without activation.
template <class T, int kWidth, class Function>
__device__ Chunk<T, kWidth> chunk_gradient(const LinearBackwardArgs& a, std::int64_t first) {
  using C = Chunk<T, kWidth>;
  const C dy = C::load(static_cast<const T*>(a.dy) + first);
  if constexpr (std::is_same_v<Function, NoActivation>) {
    return dy;
  } else {
    const C sums = C::load(static_cast<const T*>(a.pre_activation) + first);
    C result;
#pragma unroll
    for (int e = 0; e < kWidth; ++e) result.set(e, dy[e] * Function::derivative(sums[e]));
    result.store(static_cast<T*>(a.dpre_activation) + first);
    return result;
  }
}

// Block (x, y) has tile x of columns and rows [rows y / runs, rows (y + 1) / runs).
template <class T, int kWidth, class Function>
__global__ void __launch_bounds__(kThreads)
    linear_gradient(const __grid_constant__ LinearBackwardArgs a) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t runs = gridDim.y, run = blockIdx.y;
  const std::int64_t column = (std::int64_t{blockIdx.x} * kWarpSize + lane) * kWidth;
  const std::int64_t end = a.rows * (run + 1) / runs;
  ColumnSums<kWidth> sums;
  if (column < a.out) {
#pragma unroll 2
    for (std::int64_t row = a.rows * run / runs + warp; row < end; row += kWarps)
      sums.add(chunk_gradient<T, kWidth, Function>(a, row * a.out + column));
  }
  sums.template fold_warps<kWarps>();
  if (warp == 0 && column < a.out)
    sums.write(static_cast<float*>(a.parts) + run * a.out + column, false);
}

template <class Function>
void differentiate(const LinearBackwardArgs& a, CudaStream& stream) {
  const auto runs = static_cast<unsigned>(row_blocks(a.rows));
  visit_floating_cuda(a.dtype, [&]<class T>() {
    const auto launch = [&]<int kWidth>() {
      const dim3 grid(column_tiles<kWidth>(a.out), runs);
      linear_gradient<T, kWidth, Function><<<grid, kThreads, 0, stream.native()>>>(a);
    };
    if (in_16_bytes<T>(a.out, a.dy, a.pre_activation, a.dpre_activation, a.parts))
      launch.template operator()<kElementsOf16Bytes<T>>();
    else
      launch.template operator()<1>();
  });
  cuda_check(cudaGetLastError());
}

// dpre_activation where there is an activation, and dbias.
void run_gradients(const LinearBackwardArgs& a, CudaStream& stream) {
  if (a.activation == Activation::kGelu)
    differentiate<ExactGelu>(a, stream);
  else if (a.activation == Activation::kGeluTanh)
    differentiate<TanhGelu>(a, stream);
  else if (a.dbias.data)
    differentiate<NoActivation>(a, stream);
  add_column_totals(static_cast<const float*>(a.parts), row_blocks(a.rows), a.out, a.dbias, stream);
}

// A sum over no rows.
void run_without_rows(const LinearBackwardArgs& a, CudaStream& stream) {
  if (a.dweight.data == nullptr || a.dweight.accumulate) return;
  const auto elements = static_cast<std::size_t>(a.out * a.in);
  cuda_check(cudaMemsetAsync(a.dweight.data, 0, elements * sizeof(float), stream.native()));
}

}  // namespace

void run(const LinearForwardArgs& a, CudaStream& stream) {
  if (a.rows == 0 || a.out == 0) return;
  const bool activated = a.activation != Activation::kNone;
  const bool within = a.activation == Activation::kGeluTanh && a.out % 8 == 0 &&
                      aligned_to_16_bytes(a.pre_activation, a.y);
  matrix_product({.a = a.x,
                  .b = a.weight,
                  .bias = a.bias,
                  .c = activated && !within ? a.pre_activation : a.y,
                  .sums = within && a.pre_activation != a.y ? a.pre_activation : nullptr,
                  .m = a.rows,
                  .n = a.out,
                  .k = a.in,
                  .transpose_b = true,
                  .gelu_tanh = within,
                  .dtype = a.dtype,
                  .result = a.dtype},
                 stream);
  if (a.activation == Activation::kGelu)
    map<ExactGelu>(a.pre_activation, a.y, a.rows * a.out, a.dtype, stream);
  else if (activated && !within)
    map<TanhGelu>(a.pre_activation, a.y, a.rows * a.out, a.dtype, stream);
}

void run(const LinearBackwardArgs& a, CudaStream& stream) {
  if (a.out == 0) return;
  run_gradients(a, stream);
  if (a.rows == 0) return run_without_rows(a, stream);
  const void* dproduct = a.activation == Activation::kNone ? a.dy : a.dpre_activation;
  if (a.dx.data)
    matrix_product({.a = dproduct,
                    .b = a.weight,
                    .c = a.dx.data,
                    .m = a.rows,
                    .n = a.in,
                    .k = a.out,
                    .accumulate = a.dx.accumulate,
                    .dtype = a.dtype,
                    .result = a.dtype},
                   stream);
  if (a.dweight.data)
    matrix_product({.a = dproduct,
                    .b = a.x,
                    .c = a.dweight.data,
                    .m = a.out,
                    .n = a.in,
                    .k = a.rows,
                    .transpose_a = true,
                    .accumulate = a.dweight.accumulate,
                    .dtype = a.dtype,
                    .result = DType::kF32},
                   stream);
}

}  // namespace lodestone::kernels
