// mma, ldmatrix and stmatrix: matrices spread over the registers of one warp.
#include <cstring>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/emulator/tensor_arithmetic.h"
#include "tests/gpu/emulator/translator.h"

namespace lodestone::ptx {

namespace {

constexpr std::size_t kMmaD = 0, kMmaA = 4, kMmaB = 8, kMmaC = 10, kMmaRegisters = 14;
constexpr std::uint32_t kRowBytes = 16;  // of an 8 x 8 matrix

template <std::size_t kCount>
std::array<LaneWords, kCount> read_registers(const Warp& warp, const std::uint32_t* places) {
  std::array<LaneWords, kCount> words;
  for (std::size_t i = 0; i < kCount; ++i)
    std::memcpy(words[i].data(), warp.lanes<std::uint32_t>(places[i]), sizeof(LaneWords));
  return words;
}

template <TensorFormat kFormat>
void run_mma(Warp& warp, const Operation& operation, LaneMask /*all*/) {
  const std::uint32_t* const places = warp.list(operation);
  const std::array<LaneWords, 4> d =
      mma(kFormat, read_registers<4>(warp, places + kMmaA), read_registers<2>(warp, places + kMmaB),
          read_registers<4>(warp, places + kMmaC));
  for (std::size_t i = 0; i < d.size(); ++i)
    std::memcpy(warp.lanes<std::uint32_t>(places[kMmaD + i]), d[i].data(), sizeof(LaneWords));
}

template <TensorFormat kFormat>
void translate_mma(Translator& translator, const Instruction& instruction, const Match& /*match*/,
                   Operation& operation) {
  translator.expect_operands(4);
  std::vector<std::uint32_t> places;
  for (std::size_t operand = 0; operand < 4; ++operand)
    for (const Operand& element : Translator::elements(instruction.operands[operand]))
      places.push_back(operand == 0 ? translator.destination(element, 32)
                                    : translator.source(element, 32));
  if (places.size() != kMmaRegisters) translator.refuse("wrong number of registers");
  operation.list = translator.list(places);
  operation.flow = Flow::kWarpSync;
  operation.handler = run_mma<kFormat>;
}

// The addresses of rows, which lane i gives for row i % 8 of matrix i / 8, checked.
LaneAddresses matrix_rows(Warp& warp, const Operation& operation, AccessKind kind) {
  LaneAddresses rows = lane_addresses(warp, operation.addresses[0]);
  if (operation.addresses[0].space == AddressSpace::kGeneric)
    for (std::uint64_t& row : rows) row -= kSharedWindow;
  const std::uint32_t lanes = operation.list_size * 8;
  const LaneMask mask = lanes == kLanes ? kAllLanes : (LaneMask{1} << lanes) - 1;
  check_access({warp, operation, AddressSpace::kShared, kind, kRowBytes, mask, rows});
  return rows;
}

// Calls visit(half in the matrix's memory, register word of a lane, shift of the half in it).
template <class Visit>
void for_each_half(Warp& warp, const Operation& operation, const LaneAddresses& rows,
                   Visit&& visit) {
  const bool transposed = operation.modifiers != 0;
  const std::uint32_t* const places = warp.list(operation);
  for (std::uint32_t matrix = 0; matrix < operation.list_size; ++matrix) {
    auto* const words = warp.lanes<std::uint32_t>(places[matrix]);
    for (int lane = 0; lane < kWarpSize; ++lane)
      for (int half = 0; half < 2; ++half) {
        Element at = matrix_8x8(lane, half);
        if (transposed) at = {at.column, at.row};
        const std::uint64_t row = rows[std::size_t{matrix} * 8 + static_cast<std::size_t>(at.row)];
        visit(warp.block().shared() + row + std::ptrdiff_t{2} * at.column, words[lane], half * 16);
      }
  }
}

void run_ldmatrix(Warp& warp, const Operation& operation, LaneMask /*all*/) {
  const LaneAddresses rows = matrix_rows(warp, operation, AccessKind::kRead);
  for_each_half(warp, operation, rows, [](const std::byte* memory, std::uint32_t& word, int shift) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, memory, sizeof(bits));
    word = (word & ~(0xffffu << shift)) | std::uint32_t{bits} << shift;
  });
}

void run_stmatrix(Warp& warp, const Operation& operation, LaneMask /*all*/) {
  const LaneAddresses rows = matrix_rows(warp, operation, AccessKind::kWrite);
  for_each_half(warp, operation, rows, [](std::byte* memory, std::uint32_t word, int shift) {
    const auto bits = static_cast<std::uint16_t>(word >> shift);
    std::memcpy(memory, &bits, sizeof(bits));
  });
}

// Groups of both forms: how many matrices, transposed, the space (generic when absent).
void translate_matrix(Translator& translator, const Operand& registers, const Operand& address,
                      const Match& match, Operation& operation, bool is_load) {
  std::vector<std::uint32_t> places;
  for (const Operand& element : Translator::elements(registers))
    places.push_back(is_load ? translator.destination(element, 32)
                             : translator.source(element, 32));
  const std::size_t expected = match[0] == ".x4" ? 4 : match[0] == ".x2" ? 2 : 1;
  if (places.size() != expected) translator.refuse("wrong number of registers");
  operation.list = translator.list(places);
  operation.list_size = static_cast<std::uint32_t>(places.size());
  operation.modifiers = match.has(1) ? 1 : 0;
  operation.addresses[0] =
      translator.address(address, match.has(2) ? AddressSpace::kShared : AddressSpace::kGeneric);
  operation.flow = Flow::kWarpSync;
}

void translate_ldmatrix(Translator& translator, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  translator.expect_operands(2);
  translate_matrix(translator, instruction.operands[0], instruction.operands[1], match, operation,
                   true);
  operation.handler = run_ldmatrix;
}

void translate_stmatrix(Translator& translator, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  translator.expect_operands(2);
  translate_matrix(translator, instruction.operands[1], instruction.operands[0], match, operation,
                   false);
  operation.handler = run_stmatrix;
}

}  // namespace

void add_matrix_operations(OpcodeTable& table) {
  table.add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
            translate_mma<TensorFormat::kBfloat16>);
  table.add("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
            translate_mma<TensorFormat::kHalf>);
  table.add("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32",
            translate_mma<TensorFormat::kTensorFloat>);
  table.add("ldmatrix.sync.aligned.m8n8(.x1|.x2|.x4)[.trans][.shared|.shared::cta].b16",
            translate_ldmatrix);
  table.add("stmatrix.sync.aligned.m8n8(.x1|.x2|.x4)[.trans][.shared|.shared::cta].b16",
            translate_stmatrix);
}

}  // namespace lodestone::ptx
