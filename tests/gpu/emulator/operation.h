#pragma once
// A decoded instruction: a handler and the places of its operands in the register file, so that
// running it looks nothing up.
//
// The register file of a warp is a row of bytes. A register of N bits is 32 lanes of N bits side by
// side, at an offset aligned to 64 bytes; a predicate is one word with a bit per lane. Immediates,
// special registers and addresses of variables are registers too, filled before the code runs.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/gpu/emulator/module.h"

namespace lodestone::ptx {

class Warp;
struct Operation;

inline constexpr std::uint32_t kLanes = 32;
using LaneMask = std::uint32_t;  // bit i: lane i takes part
inline constexpr LaneMask kAllLanes = 0xffffffffu;

// Executes the operation for the lanes in the mask, which is never empty.
using Handler = void (*)(Warp&, const Operation&, LaneMask);

// What the warp does around the handler.
enum class Flow : std::uint8_t {
  kNext,      // runs it and goes on
  kWarpSync,  // waits until every lane of `members` is here, then runs it for all of them at once
  kPoll,      // runs it; when it calls Warp::wait_elsewhere() other lanes and warps get their turn
  kBranch,    // to `target`
  kCall,      // runs it (the arguments are copied), then goes to the start of function `target`
  kReturn,    // from a function; from a kernel as kExit
  kExit,
  kBarrier,  // of the block: `registers[0]` its number, `registers[1]` how many threads (or kNone)
};

struct AddressOperand {
  std::uint32_t base = kNone;  // register, kNone for a fixed address
  std::uint32_t bits = 0;      // of the register: 32 or 64
  std::int64_t offset = 0;     // added
  AddressSpace space = AddressSpace::kGeneric;
};

struct Operation {
  Handler handler = nullptr;
  Flow flow = Flow::kNext;
  bool guard_negated = false;
  std::uint32_t guard = kNone;                                                // predicate register
  std::array<std::uint32_t, 5> registers{kNone, kNone, kNone, kNone, kNone};  // destination first
  std::uint32_t list = 0;  // first of further registers in Program::lists
  std::uint32_t list_size = 0;
  std::array<AddressOperand, 2> addresses;
  std::uint32_t bytes = 0;  // of an access, per element
  std::int64_t immediate = 0;
  std::uint32_t modifiers = 0;  // of the family's own making
  std::uint32_t target = kNone;
  std::uint32_t members = kNone;  // kWarpSync: register of the mask; kNone: all 32 lanes
  std::uint32_t instruction = 0;  // index in Function::instructions
};

// A register that is filled before the code runs.
struct Preset {
  std::uint32_t offset = 0;
  std::uint32_t bits = 0;
  std::uint64_t value = 0;
  bool is_local_address = false;  // counted from the start of the frame's local memory
};

struct SpecialRegister {
  std::uint32_t offset = 0;
  std::uint32_t bits = 0;
  std::uint32_t number = 0;  // special_registers.h
};

// A decoded function. `.param` variables of device functions and of call sequences lie in the
// register file: 32 places of the variable's size, rounded up to 16 bytes.
struct Program {
  const Module* module = nullptr;
  const Function* function = nullptr;
  std::vector<Operation> operations;
  std::vector<std::uint32_t> lists;
  std::vector<Preset> presets;
  std::vector<SpecialRegister> special_registers;
  std::uint32_t frame_bytes = 0;  // register file that one activation takes
  std::uint32_t local_bytes = 0;  // local memory that one activation takes
  // Of Function::variables: offsets in local memory, in the kernel's parameters, or in the frame.
  std::vector<std::uint32_t> variable_offsets;
};

// Bytes between the lanes of a `.param` variable in the register file.
inline std::uint32_t parameter_stride(std::uint64_t size) {
  return static_cast<std::uint32_t>((size + 15) / 16 * 16);
}

}  // namespace lodestone::ptx
