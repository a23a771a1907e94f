#pragma once
// Where a kernel's shared variables lie: those of the module, of the kernel and of every function
// that it may call, with gaps between them so that an overrun meets no other array.
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/module.h"

namespace lodestone::ptx {

class SharedLayout {
 public:
  SharedLayout(const Module& module, std::uint32_t kernel);

  // Offset of a variable that `function` (an index, for its own variables) refers to.
  std::uint32_t offset(std::uint32_t function, const Operand& operand) const;
  const std::vector<Extent>& objects() const { return objects_; }
  bool has_dynamic() const { return dynamic_offset_ != 0; }
  std::uint32_t dynamic_offset() const { return dynamic_offset_; }
  // What the device would set aside for the static objects.
  std::uint32_t static_bytes() const { return static_bytes_; }
  // Every offset used is below this one.
  std::uint32_t end() const { return end_; }
  // Functions that the kernel may call, itself included.
  const std::vector<std::uint32_t>& reachable() const { return reachable_; }

 private:
  void visit(std::uint32_t function);
  void place(const Variable& variable, std::pair<std::uint32_t, std::uint32_t> key);

  const Module& module_;
  std::vector<std::uint32_t> reachable_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
      offsets_;  // (function, variable)
  std::vector<Extent> objects_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> dynamic_;
  std::uint32_t dynamic_alignment_ = 128;
  std::uint32_t dynamic_offset_ = 0;
  std::uint32_t static_bytes_ = 0;
  std::uint32_t end_ = kSharedBase;
};

}  // namespace lodestone::ptx
