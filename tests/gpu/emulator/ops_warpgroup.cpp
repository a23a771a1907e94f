// wgmma: matrix products of a warpgroup; setmaxnreg and elect.sync, which belong to the same
// kernels. Each of the four warps computes the 16 rows of D that it holds, when the product is
// issued. That the operands stay in use until a wait_group is kept by
// AsynchronousState::warpgroups.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "tests/gpu/emulator/async_state.h"
#include "tests/gpu/emulator/matrix_descriptor.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/emulator/tensor_arithmetic.h"
#include "tests/gpu/emulator/translator.h"

namespace lodestone::ptx {

namespace {

constexpr int kMostColumns = 256;
constexpr std::uint32_t kChunkBytes = 16;

// Operation::modifiers of a product.
constexpr std::uint32_t kAIsTransposed = 1, kBIsTransposed = 2, kNegateA = 4, kNegateB = 8,
                        kScaleNegated = 16, kAInRegisters = 32;
// Operation::registers of a product.
constexpr std::size_t kDescriptorA = 0, kDescriptorB = 1, kScaleD = 2;

Issuer issuer_of(Warp& warp, const Operation& operation) {
  return {&warp, &operation, 0};
}

// Reads an operand of `rows` rows (of m or n) by the depth of k through its descriptor.
class OperandReader {
 public:
  OperandReader(Warp& warp, const Operation& operation, TensorFormat format, std::uint64_t bits,
                Major order)
      : warp_(warp),
        operation_(operation),
        format_(format),
        descriptor_(MatrixDescriptor::decode(bits)),
        order_(order) {}

  // place(mn, k) is where an element goes.
  template <class Place>
  void read(int first_row, int rows, Place&& place) {
    const int bytes = tensor_element_bytes(format_);
    const int elements = static_cast<int>(kChunkBytes) / bytes;
    const bool k_major = order_ == Major::kK;
    const int depth = tensor_depth(format_);
    const int first_major = k_major ? 0 : first_row;
    const int first_minor = k_major ? first_row : 0;
    std::vector<Chunk> chunks;
    for (int major = 0; major < (k_major ? depth : rows); major += elements)
      for (int minor = 0; minor < (k_major ? rows : depth); ++minor)
        chunks.push_back({.address = descriptor_.chunk_address(order_, first_major + major,
                                                               first_minor + minor, bytes),
                          .major = first_major + major,
                          .minor = first_minor + minor});
    check(chunks);
    for (const Chunk& chunk : chunks)
      for (int i = 0; i < elements; ++i)
        (k_major ? place(chunk.minor, chunk.major + i) : place(chunk.major + i, chunk.minor)) =
            value(chunk.address, i);
  }

 private:
  struct Chunk {
    std::uint32_t address = 0;
    int major = 0;
    int minor = 0;
  };
  // As reads of the lanes in turn, 32 at a time.
  void check(std::span<const Chunk> chunks) {
    while (!chunks.empty()) {
      const std::size_t count = std::min<std::size_t>(chunks.size(), kLanes);
      LaneAddresses addresses{};
      for (std::size_t i = 0; i < count; ++i) addresses[i] = chunks[i].address;
      const LaneMask mask = count == kLanes ? kAllLanes : (LaneMask{1} << count) - 1;
      const WarpAccess access{
          warp_, operation_, AddressSpace::kShared, AccessKind::kAsyncRead, kChunkBytes,
          mask,  addresses};
      check_access(access);
      asynchronous_state(warp_).warpgroups.read(access);
      chunks = chunks.subspan(count);
    }
  }
  float value(std::uint32_t address, int element) const {
    const int size = tensor_element_bytes(format_);
    std::uint32_t bits = 0;
    std::memcpy(&bits, warp_.block().shared() + address + std::ptrdiff_t{element} * size,
                static_cast<std::size_t>(size));
    return tensor_element(format_, bits);
  }

  Warp& warp_;
  const Operation& operation_;
  TensorFormat format_;
  MatrixDescriptor descriptor_;
  Major order_;
};

Major major_of(const Operation& operation, std::uint32_t transposed) {
  return (operation.modifiers & transposed) != 0 ? Major::kMn : Major::kK;
}

template <TensorFormat kFormat>
OperandA read_a(Warp& warp, const Operation& operation, const std::uint32_t* registers) {
  if ((operation.modifiers & kAInRegisters) != 0) {
    std::array<LaneWords, 4> words;
    for (std::size_t i = 0; i < words.size(); ++i)
      std::memcpy(words[i].data(), warp.lanes<std::uint32_t>(registers[i]), sizeof(LaneWords));
    return operand_a(kFormat, words);
  }
  OperandA a{};
  const int first_row = static_cast<int>(warp.index() % 4) * kTensorRows;
  OperandReader(warp, operation, kFormat,
                *warp.lanes<std::uint64_t>(operation.registers[kDescriptorA]),
                major_of(operation, kAIsTransposed))
      .read(first_row, kTensorRows, [&a, first_row](int row, int k) -> float& {
        return a[static_cast<std::size_t>(row - first_row)][static_cast<std::size_t>(k)];
      });
  return a;
}

template <TensorFormat kFormat>
void run_product(Warp& warp, const Operation& operation, LaneMask /*all*/) {
  asynchronous_state(warp).warpgroups.begin(issuer_of(warp, operation));
  const std::uint32_t* const places = warp.list(operation);
  const std::size_t count = operation.list_size;
  const std::size_t columns = count * 2;
  OperandA a = read_a<kFormat>(warp, operation, places + count);
  std::array<float, kMaximumTensorDepth * kMostColumns> b;
  OperandReader(warp, operation, kFormat,
                *warp.lanes<std::uint64_t>(operation.registers[kDescriptorB]),
                major_of(operation, kBIsTransposed))
      .read(0, static_cast<int>(columns), [&b, columns](int column, int k) -> float& {
        return b[static_cast<std::size_t>(k) * columns + static_cast<std::size_t>(column)];
      });
  const bool is_negated =
      ((operation.modifiers & kNegateA) != 0) != ((operation.modifiers & kNegateB) != 0);
  if (is_negated)
    for (auto& row : a)
      for (float& value : row) value = -value;
  const bool predicate = (warp.predicate(operation.registers[kScaleD]) & 1) != 0;
  const bool scale_d = predicate != ((operation.modifiers & kScaleNegated) != 0);
  std::array<LaneWords, kMostColumns / 2> accumulators;
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(accumulators[i].data(), warp.lanes<std::uint32_t>(places[i]), sizeof(LaneWords));
  multiply_accumulate(std::span(accumulators).first(count), a, b, tensor_depth(kFormat), scale_d);
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(warp.lanes<std::uint32_t>(places[i]), accumulators[i].data(), sizeof(LaneWords));
}

std::uint32_t sign_of(const Translator& translator, const Operand& operand, std::uint32_t negated) {
  const std::int64_t scale = translator.constant(operand);
  if (scale != 1 && scale != -1) translator.refuse("a scale that is neither 1 nor -1");
  return scale == 1 ? 0 : negated;
}

// The accumulators, and A where it is in registers.
void translate_matrices(Translator& translator, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  std::vector<std::uint32_t> places;
  for (const Operand& element : Translator::elements(instruction.operands[0]))
    places.push_back(translator.destination(element, 32));
  if (fmt::format("n{}", places.size() * 2) != match[0])
    translator.refuse("wrong number of accumulator registers");
  operation.list_size = static_cast<std::uint32_t>(places.size());
  if (instruction.operands[1].kind == Operand::Kind::kVector) {
    const std::vector<Operand>& elements = instruction.operands[1].elements;
    if (elements.size() != 4) translator.refuse("A must be four registers");
    for (const Operand& element : elements) places.push_back(translator.source(element, 32));
    operation.modifiers |= kAInRegisters;
  } else {
    operation.registers[kDescriptorA] = translator.source(instruction.operands[1], 64);
  }
  operation.list = translator.list(places);
  operation.registers[kDescriptorB] = translator.source(instruction.operands[2], 64);
}

// d, a (descriptor or registers), b, scale-d, scale-a, scale-b[, transpose-a][, transpose-b]
template <TensorFormat kFormat>
void translate_product(Translator& translator, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  const bool in_registers = operands.size() > 1 && operands[1].kind == Operand::Kind::kVector;
  constexpr bool kTransposes = kFormat != TensorFormat::kTensorFloat;
  translator.expect_operands(!kTransposes ? 6 : in_registers ? 7 : 8);
  translate_matrices(translator, instruction, match, operation);
  const auto [predicate, is_negated] = translator.predicate(operands[3]);
  operation.registers[kScaleD] = predicate;
  if (is_negated) operation.modifiers |= kScaleNegated;
  operation.modifiers |=
      sign_of(translator, operands[4], kNegateA) | sign_of(translator, operands[5], kNegateB);
  if (kTransposes && !in_registers && translator.constant(operands[6]) != 0)
    operation.modifiers |= kAIsTransposed;
  if (kTransposes && translator.constant(operands.back()) != 0)
    operation.modifiers |= kBIsTransposed;
  operation.flow = Flow::kWarpSync;
  operation.handler = run_product<kFormat>;
}

void run_fence(Warp& warp, const Operation& /*operation*/, LaneMask /*all*/) {
  asynchronous_state(warp).warpgroups.fence(warp.index());
}

void run_commit(Warp& warp, const Operation& /*operation*/, LaneMask /*all*/) {
  asynchronous_state(warp).warpgroups.commit(warp.index());
}

void run_wait(Warp& warp, const Operation& operation, LaneMask /*all*/) {
  asynchronous_state(warp).warpgroups.wait(issuer_of(warp, operation),
                                           static_cast<std::size_t>(operation.immediate));
}

template <Handler kRun>
void translate_plain(Translator& translator, const Instruction& /*instruction*/,
                     const Match& /*match*/, Operation& operation) {
  translator.expect_operands(0);
  operation.flow = Flow::kWarpSync;
  operation.handler = kRun;
}

void translate_wait(Translator& translator, const Instruction& instruction, const Match& /*match*/,
                    Operation& operation) {
  translator.expect_operands(1);
  operation.immediate = translator.constant(instruction.operands[0]);
  if (operation.immediate < 0) translator.refuse("a negative number of groups");
  operation.flow = Flow::kWarpSync;
  operation.handler = run_wait;
}

void run_nothing(Warp& /*warp*/, const Operation& /*operation*/, LaneMask /*mask*/) {}

void translate_setmaxnreg(Translator& translator, const Instruction& instruction,
                          const Match& /*match*/, Operation& operation) {
  translator.expect_operands(1);
  const std::int64_t count = translator.constant(instruction.operands[0]);
  if (count < 24 || count > 256 || count % 8 != 0)
    translator.refuse("a register count that is no multiple of 8 in 24..256");
  operation.flow = Flow::kWarpSync;
  operation.handler = run_nothing;
}

// The lowest of the lanes that the mask names is elected.
void run_elect(Warp& warp, const Operation& operation, LaneMask members) {
  const auto elected = static_cast<std::uint32_t>(std::countr_zero(members));
  std::uint32_t* const lanes = warp.lanes<std::uint32_t>(operation.registers[0]);
  for (LaneMask rest = members; rest != 0; rest &= rest - 1)
    lanes[std::countr_zero(rest)] = elected;
  warp.set_predicate(operation.registers[1], LaneMask{1} << elected, members);
}

// lane | predicate, members
void translate_elect(Translator& translator, const Instruction& instruction, const Match& /*match*/,
                     Operation& operation) {
  translator.expect_operands(2);
  const Operand& pair = instruction.operands[0];
  if (pair.kind != Operand::Kind::kPair) translator.refuse("lane | predicate was expected");
  operation.registers[0] = translator.destination(pair.elements[0], 32);
  operation.registers[1] = translator.destination(pair.elements[1], 1);
  operation.members = translator.source(instruction.operands[1], 32);
  operation.flow = Flow::kWarpSync;
  operation.handler = run_elect;
}

// "(n8|n16|...|n256)"
std::string column_choices() {
  std::string choices = "(";
  for (int columns = 8; columns <= kMostColumns; columns += 8)
    choices += fmt::format("{}n{}", columns == 8 ? "" : "|", columns);
  return choices + ")";
}

}  // namespace

void add_warpgroup_operations(OpcodeTable& table) {
  const std::string product = "wgmma.mma_async.sync.aligned.m64" + column_choices();
  table.add(product + "k16.f32.bf16.bf16", translate_product<TensorFormat::kBfloat16>);
  table.add(product + "k16.f32.f16.f16", translate_product<TensorFormat::kHalf>);
  table.add(product + "k8.f32.tf32.tf32", translate_product<TensorFormat::kTensorFloat>);
  table.add("wgmma.fence.sync.aligned", translate_plain<run_fence>);
  table.add("wgmma.commit_group.sync.aligned", translate_plain<run_commit>);
  table.add("wgmma.wait_group.sync.aligned", translate_wait);
  table.add("elect.sync", translate_elect);
  table.add("setmaxnreg(.inc|.dec).sync.aligned.u32", translate_setmaxnreg);
}

}  // namespace lodestone::ptx
