#pragma once
// A parsed PTX module: what nvcc wrote, with every name resolved, before any of it has a meaning.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lodestone::ptx {

inline constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

enum class AddressSpace : std::uint8_t {
  kGeneric,  // any of the following, told apart by the address
  kGlobal,
  kShared,
  kLocal,
  kConstant,
  kParameter,
};

std::string_view name_of(AddressSpace space);

// One `.loc`. `inlined_at` is the index of the location that the surrounding code was called from.
struct Location {
  std::uint32_t file = 0;
  std::uint32_t line = 0;
  std::uint32_t inlined_at = kNone;
};

struct Register {
  std::string name;
  std::string type;        // "f32", "pred", "b64"
  std::uint32_t bits = 0;  // 1 for a predicate
};

// A place in the data of a variable that holds another variable's address.
struct Relocation {
  std::uint64_t offset = 0;
  std::string symbol;
  std::int64_t addend = 0;
  bool is_generic = false;  // the generic address, otherwise the one in the symbol's space
};

struct Variable {
  std::string name;
  AddressSpace space = AddressSpace::kGlobal;
  std::uint32_t alignment = 1;
  std::uint64_t size = 0;          // bytes; 0 for an array without a size
  bool is_external = false;        // of dynamic shared memory: `.extern .shared .b8 name[]`
  std::vector<std::byte> initial;  // empty: zeros
  std::vector<Relocation> relocations;
};

struct Operand {
  enum class Kind : std::uint8_t {
    kRegister,         // `index` in Function::registers; `negated` for !%p1
    kSpecialRegister,  // `name`: "%tid.x"
    kImmediate,        // `bits`
    kVariable,         // `index`, plus `offset` bytes: its address
    kLabel,            // `index`: the instruction that it stands before
    kFunction,         // `name`
    kAddress,          // [elements[0] + offset]; further elements: a tensor's coordinates, ...
    kVector,           // {elements}, or the parenthesised list of a call
    kPair,             // elements[0] | elements[1]
    kDiscard,          // _
  };
  enum class Literal : std::uint8_t { kInteger, kSingle, kDouble };

  Kind kind = Kind::kDiscard;
  std::string name{};
  std::uint32_t index = 0;
  bool is_module_level = false;  // kVariable: `index` is in Module::variables, else in Function's
  bool negated = false;
  Literal literal = Literal::kInteger;
  std::uint64_t bits = 0;
  std::int64_t offset = 0;
  std::vector<Operand> elements{};
};

struct Guard {
  std::uint32_t predicate = 0;  // index in Function::registers
  bool negated = false;
};

struct Instruction {
  std::string opcode;  // as written, with every modifier: "ld.global.nc.v4.f32"
  std::optional<Guard> guard;
  std::vector<Operand> operands;
  std::uint32_t location = kNone;  // index in Module::locations
  std::string text;                // the whole statement, for messages
};

struct Function {
  std::string name;
  bool is_entry = false;
  bool is_defined = false;            // has a body
  std::uint32_t result_count = 0;     // the first of `variables`: what a device function returns,
  std::uint32_t parameter_count = 0;  // then its parameters, then those of the body
  std::vector<Variable> variables{};
  std::vector<Register> registers{};
  std::vector<Instruction> instructions{};
  std::uint32_t most_threads = 0;      // .maxntid, the product; 0: not bounded
  std::uint32_t required_threads = 0;  // .reqntid, the product; 0: any
};

struct Module {
  std::string target;              // "sm_90a"
  std::vector<std::string> files;  // by the number in `.file`; "" where there is none
  std::vector<Location> locations;
  std::vector<Variable> variables;
  std::vector<Function> functions;

  // The function of that name, or null.
  const Function* find(std::string_view name) const;
};

// Throws kBadInput with the line for text that is not PTX as nvcc writes it.
Module parse(std::string_view text);

}  // namespace lodestone::ptx
