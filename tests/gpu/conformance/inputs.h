#pragma once
// Random operands: a function of the instruction's name, the thread and nothing else.
#include <cstdint>
#include <string_view>
#include <vector>

namespace lodestone::gpu_tests {

// What an operand is drawn from.
enum class Operand : std::uint8_t {
  kFloat,           // f32: corner cases, any bits, subnormal, large and everyday numbers
  kNumber,          // f32: everyday finite numbers
  kAngle,           // f32 within two turns
  kExponent,        // f32 within +-140
  kDouble,          // f64: everyday finite numbers
  kWord,            // 32 bits: corner cases, short and long integers
  kBits,            // 32 bits, every one random
  kCount,           // 0 to 79
  kLong,            // 64 bits: as kWord
  kFewLongs,        // 64 bits: one of three values
  kFew,             // 32 bits: one of three values
  kVote,            // 0 or 1: in most warps the same, but for few lanes or none
  kAlike,           // 64 bits: in most warps the same, but for few lanes or none
  kBytes,           // 0 to 16
  kHalf,            // 16 bits, every one random
  kHalves,          // two f16, every bit random
  kBfloats,         // two bf16, everyday numbers
  kIntegerBfloats,  // two bf16 from -8 to 8
  kInteger,         // f32 from -8 to 8, exact in tf32
  kTensorFloat,     // everyday tf32
};

int words_of(Operand operand);

// inputs[threads][the words of every operand]
std::vector<std::uint32_t> random_inputs(std::string_view name,
                                         const std::vector<Operand>& operands, int threads);

// Says whether two arrays hold the same (FNV-1a of 32 bits).
std::uint32_t fingerprint(const std::vector<std::uint32_t>& words);

}  // namespace lodestone::gpu_tests
