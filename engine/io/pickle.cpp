#include "engine/io/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "engine/core/check.h"

namespace lodestone {

namespace {

using Kind = PickleNode::Kind;

// The opcodes of a state dict in protocol 2.
enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kAppendTuple = 't',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersistentId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kBuild = 'b',
  kGlobal = 'c',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProtocol = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Machine {
 public:
  Machine(const std::filesystem::path& file, std::span<const std::byte> bytes,
          const PickleRules& rules, std::deque<PickleNode>& nodes)
      : file_(file), bytes_(bytes), rules_(rules), nodes_(nodes) {}

  const PickleNode* run() {
    for (;;) {
      const std::size_t at = position_;
      const auto opcode = read<std::uint8_t>();
      if (opcode == kStop) return finish();
      if (!memo_step(opcode) && !value_step(opcode) && !container_step(opcode))
        refuse(fmt::format("opcode 0x{:02x} at byte {} is not among those of a table of tensors",
                           opcode, at));
    }
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    fail(ErrorKind::kBadInput, "{}: its pickle is refused: {}", file_.string(), why);
  }

  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size() - position_) refuse("it ends too early");
    position_ += count;
    return bytes_.subspan(position_ - count, count);
  }
  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string take_text(std::size_t count) {
    const auto bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string take_line() {
    const auto rest = bytes_.subspan(position_);
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    std::string line = take_text(static_cast<std::size_t>(end - rest.begin()));
    take(1);
    return line;
  }

  // The stack holds nodes; a null is a mark.
  PickleNode& push(Kind kind) {
    PickleNode& node = nodes_.emplace_back();
    node.kind = kind;
    stack_.push_back(&node);
    return node;
  }
  void push_integer(Kind kind, std::int64_t value) { push(kind).integer = value; }
  PickleNode* pop() {
    if (stack_.empty() || stack_.back() == nullptr) refuse("an opcode lacks its operand");
    PickleNode* const node = stack_.back();
    stack_.pop_back();
    return node;
  }
  std::vector<PickleNode*> pop_to_mark() {
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), nullptr);
    if (mark == stack_.rend()) refuse("an opcode lacks its mark");
    std::vector<PickleNode*> items(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
  }

  bool memo_step(std::uint8_t opcode) {
    switch (opcode) {
      case kBinPut:
        remember(read<std::uint8_t>());
        return true;
      case kLongBinPut:
        remember(read<std::uint32_t>());
        return true;
      case kBinGet:
        recall(read<std::uint8_t>());
        return true;
      case kLongBinGet:
        recall(read<std::uint32_t>());
        return true;
      default:
        return false;
    }
  }
  void remember(std::uint32_t key) {
    PickleNode* const node = pop();
    memo_[key] = node;
    stack_.push_back(node);
  }
  void recall(std::uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) refuse(fmt::format("it recalls memo {}, never stored", key));
    stack_.push_back(found->second);
  }

  bool value_step(std::uint8_t opcode) {
    switch (opcode) {
      case kProtocol:
        if (const auto version = read<std::uint8_t>(); version != 2)
          refuse(fmt::format("its protocol is {}, expected 2", version));
        return true;
      case kNone:
        push(Kind::kNone);
        return true;
      case kNewTrue:
      case kNewFalse:
        push_integer(Kind::kBool, opcode == kNewTrue ? 1 : 0);
        return true;
      case kBinInt:
        push_integer(Kind::kInteger, read<std::int32_t>());
        return true;
      case kBinInt1:
        push_integer(Kind::kInteger, read<std::uint8_t>());
        return true;
      case kBinInt2:
        push_integer(Kind::kInteger, read<std::uint16_t>());
        return true;
      case kLong1:
        push_integer(Kind::kInteger, take_long());
        return true;
      case kBinUnicode: {
        std::string text = take_text(read<std::uint32_t>());
        push(Kind::kText).text = std::move(text);
        return true;
      }
      case kGlobal:
        push_global();
        return true;
      default:
        return false;
    }
  }
  // Little-endian two's complement of at most eight bytes.
  std::int64_t take_long() {
    const auto count = read<std::uint8_t>();
    if (count > sizeof(std::int64_t)) refuse(fmt::format("it has a number of {} bytes", count));
    const auto bytes = take(count);
    const bool negative = count > 0 && (bytes.back() & std::byte{0x80}) != std::byte{0};
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, bytes.data(), count);
    return value;
  }
  void push_global() {
    std::string module = take_line();
    std::string name = std::move(module) + ' ' + take_line();
    if (name != kOrderedDict && !contains(rules_.functions, name) &&
        !contains(rules_.classes, name))
      refuse(
          fmt::format("it names the global '{}', which a table of tensors does not need; take the "
                      "file from a source you trust",
                      name));
    push(Kind::kGlobal).text = std::move(name);
  }

  bool container_step(std::uint8_t opcode) {
    switch (opcode) {
      case kMark:
        stack_.push_back(nullptr);
        return true;
      case kEmptyDict:
        push(Kind::kDict);
        return true;
      case kEmptyTuple:
        push(Kind::kTuple);
        return true;
      case kAppendTuple:
        push_tuple(pop_to_mark());
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        push_last(opcode - kTuple1 + 1u);
        return true;
      case kSetItem: {
        PickleNode* const value = pop();
        PickleNode* const key = pop();
        set_items({key, value});
        return true;
      }
      case kSetItems:
        set_items(pop_to_mark());
        return true;
      case kReduce:
        reduce();
        return true;
      case kBuild:
        build();
        return true;
      case kBinPersistentId:
        push_persistent();
        return true;
      default:
        return false;
    }
  }
  void push_tuple(const std::vector<PickleNode*>& items) {
    push(Kind::kTuple).items.assign(items.begin(), items.end());
  }
  void push_last(std::size_t count) {
    std::vector<PickleNode*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(items);
  }
  void set_items(const std::vector<PickleNode*>& items) {
    PickleNode* const dict = pop();
    if (!dict->is(Kind::kDict)) refuse("it sets items of something that is not a dict");
    if (items.size() % 2 != 0) refuse("it sets a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2)
      dict->pairs.emplace_back(items[i], items[i + 1]);
    stack_.push_back(dict);
  }
  void reduce() {
    const PickleNode* const arguments = pop();
    const PickleNode* const function = pop();
    if (!arguments->is(Kind::kTuple)) refuse("it calls something without a tuple of arguments");
    const bool makes_dict = function->is(Kind::kGlobal) && function->text == kOrderedDict;
    if (makes_dict && arguments->items.empty()) {
      push(Kind::kDict);
      return;
    }
    if (!function->is(Kind::kGlobal) || !contains(rules_.functions, function->text))
      refuse(fmt::format("it calls {}", function->is(Kind::kGlobal)
                                            ? fmt::format("'{}' with arguments", function->text)
                                            : "something that is not a function"));
    PickleNode& call = push(Kind::kCall);
    call.text = function->text;
    call.operand = arguments;
  }
  // The attributes of an OrderedDict (torch keeps versions of modules there) are not needed.
  void build() {
    const PickleNode* const state = pop();
    PickleNode* const object = pop();
    if (!object->is(Kind::kDict) || !state->is(Kind::kDict))
      refuse("it sets attributes of something that is not an OrderedDict");
    stack_.push_back(object);
  }
  void push_persistent() {
    const PickleNode* const id = pop();
    if (!id->is(Kind::kTuple)) refuse("it has a persistent id that is not a tuple");
    push(Kind::kPersistent).operand = id;
  }

  const PickleNode* finish() {
    const PickleNode* const root = pop();
    if (!stack_.empty()) refuse("it ends with more than one value");
    if (position_ != bytes_.size()) refuse("it goes on after its end");
    return root;
  }

  const std::filesystem::path& file_;
  std::span<const std::byte> bytes_;
  const PickleRules& rules_;
  std::deque<PickleNode>& nodes_;
  std::size_t position_ = 0;
  std::vector<PickleNode*> stack_;
  std::unordered_map<std::uint32_t, PickleNode*> memo_;
};

}  // namespace

Pickle::Pickle(const std::filesystem::path& file, std::span<const std::byte> bytes,
               const PickleRules& rules)
    : root_(Machine(file, bytes, rules, nodes_).run()) {}

}  // namespace lodestone
