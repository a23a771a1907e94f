#pragma once
// Reading the pickles that torch.save writes, as data: a stack machine of the opcodes below builds
// a tree; nothing is imported and nothing is called. Opcodes:
// https://github.com/python/cpython/blob/main/Lib/pickletools.py
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lodestone {

struct PickleNode {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,        // integer
    kInteger,     // integer
    kText,        // text
    kTuple,       // items
    kDict,        // pairs; an OrderedDict too
    kGlobal,      // text: "module name"
    kCall,        // text: "module name" of the function, operand: the tuple of its arguments
    kPersistent,  // operand: the tuple that is the id
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  std::string text;
  std::vector<const PickleNode*> items;
  const PickleNode* operand = nullptr;
  std::vector<std::pair<const PickleNode*, const PickleNode*>> pairs;

  bool is(Kind which) const { return kind == which; }
};

// What a reader accepts; every other global is refused by its name.
struct PickleRules {
  std::span<const std::string_view> functions;  // "module name" that REDUCE may apply
  std::span<const std::string_view> classes;    // "module name" that may be mentioned
};
inline constexpr std::string_view kOrderedDict = "collections OrderedDict";  // always accepted

// A parsed pickle. A node may be reached by many ways, itself included, so a reader must not walk
// the tree without a bound.
class Pickle {
 public:
  // `file` is for messages. Throws kBadInput.
  Pickle(const std::filesystem::path& file, std::span<const std::byte> bytes,
         const PickleRules& rules);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;
  const PickleNode& root() const { return *root_; }

 private:
  std::deque<PickleNode> nodes_;
  const PickleNode* root_ = nullptr;
};

}  // namespace lodestone
