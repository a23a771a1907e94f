// A thread has pieces; each is summed in one order, and the pieces in order. Reads the gradients
// once.
#include "kernels/gradient_norm.h"

#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "engine/core/threads.h"

namespace lodestone::kernels {

namespace {

// In eight lanes, so that the compiler may use vectors without changing the order of sums.
double sum_of_squares(std::span<const float> x) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  const std::size_t whole = x.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
  for (std::size_t i = whole; i < x.size(); ++i)
    lanes[i - whole] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

}  // namespace

void run(const GradientNormArgs& args, CpuStream&) {
  parallel_for(args.pieces, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece)
      args.squares[piece] =
          sum_of_squares({args.gradients + args.offsets[piece],
                          static_cast<std::size_t>(args.offsets[piece + 1] - args.offsets[piece])});
  });
  *args.norm = std::sqrt(std::accumulate(args.squares, args.squares + args.pieces, 0.0));
}

}  // namespace lodestone::kernels
