#pragma once
// Kernels like those of training, small and plain, which the instrument must run right: what nvcc
// makes of the mathematical library, of conversions, atomics, local memory and printf.
#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

namespace lodestone::testing {

// y[i] = gelu(x[i]) by tanh + erf(x) + exp(x) + log(|x| + 1) + |x|^0.3
void run_activations(float* y, const float* x, int count);

// Rotates pair d of position t by (first + t) * 10000^(-2 d / pair_count).
// pairs[positions][pair_count]
void run_rotary(__nv_bfloat162* pairs, int first, int positions, int pair_count);

// Adds dy[t] to the row tokens[t] of a bf16 and of an f32 table, both [rows][columns].
// columns: a multiple of 4.
void run_embedding_backward(__nv_bfloat16* table, float* table_f32, const int* tokens,
                            const float* dy, int token_count, int columns);

// loss[b] = log(sum exp(logits[b])) - logits[b][target[b]] and its gradient; one warp a row.
void run_cross_entropy(float* loss, float* gradient, const float* logits, const int* targets,
                       int rows, int columns);

// The four words of Philox4x32-10 of counter i, exclusive-or'ed together.
void run_philox(std::uint32_t* words, std::uint64_t seed, int count);

// norm = sqrt(sum x^2), in f64; the last block to finish takes the root. norm and finished: zero.
void run_gradient_norm(double* norm, const float* x, std::int64_t count, unsigned* finished);

// Prints values[0] if it is above 3; values[9] = values[values[0] & 7], through local memory.
void run_local_lookup(int* values);

// y[i] = x[i] as e4m3, clamped to what it holds. count: at most 1,024
void run_fp8(__nv_fp8_e4m3* y, const float* x, int count);

}  // namespace lodestone::testing
