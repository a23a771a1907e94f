#pragma once
// Files of named tensors: what model.safetensors and pytorch_model.bin have in common.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace lodestone {

enum class ElementType : std::uint8_t {
  kF64,
  kF32,
  kF16,
  kBf16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool
};

struct ArchiveEntry {
  std::string name;
  ElementType type;
  std::vector<std::int64_t> shape;
};

// Every number of the file is checked when it is opened; bad files throw kBadInput naming the file,
// the tensor, what was expected and what was found.
class TensorArchive {
 public:
  virtual ~TensorArchive() = default;
  virtual const std::filesystem::path& path() const = 0;
  virtual const std::vector<ArchiveEntry>& entries() const = 0;  // in file order
  // The tensor on the CPU, converted: floating types to f32 (f64 stays f64), integers and bool to
  // i64. Rank above Shape::kMaxRank or an unknown name throws.
  virtual Tensor read(const std::string& name) const = 0;
  // Do two names share the same stored elements (a tied tensor)?
  virtual bool same_storage(const std::string& a, const std::string& b) const = 0;
  const ArchiveEntry* find(const std::string& name) const;
};

// Format: https://github.com/huggingface/safetensors (README); validated as its reference does.
std::unique_ptr<TensorArchive> open_safetensors(const std::filesystem::path& path);
// torch.save's zip container of stored tensors with a pickle index. Opcodes and globals are
// allow-listed; anything else is refused by name, nothing is ever executed.
std::unique_ptr<TensorArchive> open_torch_checkpoint(const std::filesystem::path& path);

struct NamedTensor {
  std::string name;
  Tensor tensor;  // on the CPU: f64, f32, bf16, i64, i32 or u8
};
// Published whole. metadata {"format": "pt"} is written, as the ecosystem's loaders want.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);
void write_torch_checkpoint(const std::filesystem::path& path,
                            const std::vector<NamedTensor>& tensors);

}  // namespace lodestone
