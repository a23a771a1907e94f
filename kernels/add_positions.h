#pragma once
// y[n] = x[n] + token_type[0] + positions[rank of n in its cell].
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"
#include "kernels/gradient.h"

namespace lodestone::kernels {

struct AddPositionsForwardArgs {
  const void* x;                // [rows, columns]
  const void* token_type;       // [types, columns]; row 0 is read
  const void* positions;        // [position_rows, columns]
  const std::int64_t* offsets;  // [cells + 1]
  void* y;                      // [rows, columns]
  std::int64_t cells, rows, columns;
  DType dtype;
};
void run(const AddPositionsForwardArgs& args, CpuStream& stream);
void run(const AddPositionsForwardArgs& args, CudaStream& stream);

struct AddPositionsBackwardArgs {
  const void* dy;               // [rows, columns]
  const std::int64_t* offsets;  // [cells + 1]
  Gradient dx;                  // [rows, columns]
  Gradient dtoken_type;         // wide [types, columns]
  Gradient dpositions;          // wide [position_rows, columns]
  void* workspace = nullptr;    // add_positions_backward_workspace bytes
  std::int64_t cells, rows, columns, types, position_rows;
  DType dtype;
};
void run(const AddPositionsBackwardArgs& args, CpuStream& stream);
void run(const AddPositionsBackwardArgs& args, CudaStream& stream);

// On CUDA a block has so many positions, and leaves a sum for dtoken_type in the workspace.
inline constexpr std::int64_t kAddPositionsOfBlock = 8;
constexpr std::int64_t add_positions_blocks(std::int64_t position_rows) {
  return (position_rows + kAddPositionsOfBlock - 1) / kAddPositionsOfBlock;
}
constexpr std::int64_t add_positions_backward_workspace(std::int64_t position_rows,
                                                        std::int64_t columns, const CudaStream&) {
  return add_positions_blocks(position_rows) * columns * std::int64_t{sizeof(float)};
}
constexpr std::int64_t add_positions_backward_workspace(std::int64_t, std::int64_t,
                                                        const CpuStream&) {
  return 0;
}

}  // namespace lodestone::kernels
