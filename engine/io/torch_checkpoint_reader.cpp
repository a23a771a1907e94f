// torch.save's container: a zip of `STEM/data.pkl`, a pickled table of tensors, and of one member
// `STEM/data/KEY` per storage. A tensor is a view (offset, sizes, strides) of a storage, which
// several may share. Source: torch/serialization.py and torch/_utils.py (_rebuild_tensor_v2).
#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/core/check.h"
#include "engine/io/elements.h"
#include "engine/io/pickle.h"
#include "engine/io/stored_zip.h"
#include "engine/io/tensor_archive.h"

namespace lodestone {

namespace {

using Kind = PickleNode::Kind;

constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::array kFunctions = {kRebuildTensor, kRebuildParameter};
constexpr std::array<std::string_view, 10> kStorages = {
    "torch DoubleStorage", "torch FloatStorage", "torch HalfStorage",  "torch BFloat16Storage",
    "torch LongStorage",   "torch IntStorage",   "torch ShortStorage", "torch CharStorage",
    "torch ByteStorage",   "torch BoolStorage"};
constexpr std::array kStorageTypes = {ElementType::kF64,  ElementType::kF32, ElementType::kF16,
                                      ElementType::kBf16, ElementType::kI64, ElementType::kI32,
                                      ElementType::kI16,  ElementType::kI8,  ElementType::kU8,
                                      ElementType::kBool};

// 100,000 tensors; each byte of a pickle may cost a hundred in memory.
constexpr std::size_t kMaxPickleBytes = std::size_t{16} << 20;

struct View {
  std::string key;  // of the storage
  std::span<const std::byte> storage;
  std::int64_t offset = 0;  // in elements
  std::vector<std::int64_t> strides;
};

// Reads the arguments of one tensor.
class TensorParser {
 public:
  TensorParser(const StoredZip& zip, const std::string& stem, const std::string& name)
      : zip_(zip), stem_(stem), name_(name) {}

  std::pair<ArchiveEntry, View> parse(const PickleNode& value) const {
    const PickleNode* call = &value;
    if (call->is(Kind::kCall) && call->text == kRebuildParameter) {
      const auto& arguments = call->operand->items;
      require(arguments.size() == 3, "a parameter of three parts");
      call = arguments[0];
    }
    require(call->is(Kind::kCall) && call->text == kRebuildTensor, "a tensor");
    const auto& arguments = call->operand->items;
    require(arguments.size() >= 6 && arguments.size() <= 7 && arguments[0]->is(Kind::kPersistent),
            "a tensor of a storage, offset, size, stride and two more parts");
    View view;
    ArchiveEntry entry{name_, ElementType::kF32, {}};
    const std::int64_t elements = parse_storage(arguments[0]->operand->items, entry.type, view);
    view.offset = whole_number(*arguments[1], "offset");
    entry.shape = whole_numbers(*arguments[2], "size");
    view.strides = whole_numbers(*arguments[3], "stride");
    check_view(entry, view, elements);
    return {std::move(entry), std::move(view)};
  }

 private:
  const std::string file() const { return zip_.path().string(); }
  void require(bool holds, std::string_view expected) const {
    check_input(holds, "{}: entry {} is not {}", file(), name_, expected);
  }

  // ('storage', type, key, location, number of elements)
  std::int64_t parse_storage(const std::vector<const PickleNode*>& id, ElementType& type,
                             View& view) const {
    require(id.size() == 5 && id[0]->is(Kind::kText) && id[0]->text == "storage" &&
                id[1]->is(Kind::kGlobal) && id[2]->is(Kind::kText),
            "a tensor with a storage of a type and a key");
    const auto known = std::find(kStorages.begin(), kStorages.end(), id[1]->text);
    require(known != kStorages.end(), "a tensor of a known storage type");
    type = kStorageTypes[static_cast<std::size_t>(known - kStorages.begin())];
    view.key = id[2]->text;
    const auto member = zip_.members().find(stem_ + "data/" + view.key);
    check_input(member != zip_.members().end(), "{}: tensor {} is in storage {}, which is missing",
                file(), name_, view.key);
    view.storage = member->second;
    const std::int64_t elements = whole_number(*id[4], "number of stored elements");
    const auto stored = static_cast<std::int64_t>(view.storage.size() / size_of(type));
    check_input(elements <= stored, "{}: tensor {} claims {} stored elements, the file has {}",
                file(), name_, elements, stored);
    return elements;
  }

  std::int64_t whole_number(const PickleNode& node, std::string_view what) const {
    check_input(node.is(Kind::kInteger) && node.integer >= 0,
                "{}: tensor {} has the {} {}, expected a whole number", file(), name_, what,
                node.is(Kind::kInteger) ? std::to_string(node.integer) : "of another type");
    return node.integer;
  }
  std::vector<std::int64_t> whole_numbers(const PickleNode& node, std::string_view what) const {
    check_input(node.is(Kind::kTuple), "{}: tensor {} has a {} that is not a tuple", file(), name_,
                what);
    std::vector<std::int64_t> numbers;
    numbers.reserve(node.items.size());
    for (const PickleNode* item : node.items) numbers.push_back(whole_number(*item, what));
    return numbers;
  }

  // Every element that the view reaches is stored, and it has no more elements than its storage (a
  // stride of 0 could ask for terabytes).
  void check_view(const ArchiveEntry& entry, const View& view, std::int64_t elements) const {
    require(entry.shape.size() == view.strides.size(), "a tensor with as many strides as sizes");
    const auto count = element_count(entry.shape);
    if (!count || *count > elements)
      fail(ErrorKind::kBadInput,
           "{}: tensor {} of size [{}] is larger than its storage of {} elements", file(), name_,
           fmt::join(entry.shape, ", "), elements);
    if (*count == 0) return;
    std::int64_t last = view.offset;
    bool overflows = false;
    for (std::size_t axis = 0; axis < view.strides.size(); ++axis) {
      std::int64_t reach = 0;
      overflows |= __builtin_mul_overflow(entry.shape[axis] - 1, view.strides[axis], &reach) ||
                   __builtin_add_overflow(last, reach, &last);
    }
    check_input(!overflows && last < elements,
                "{}: tensor {} of size [{}], stride [{}] and offset {} reaches beyond its storage "
                "of {} elements",
                file(), name_, fmt::join(entry.shape, ", "), fmt::join(view.strides, ", "),
                view.offset, elements);
  }

  const StoredZip& zip_;
  const std::string& stem_;
  const std::string& name_;
};

// torch before 1.6 wrote one pickle after another, the first of them this number.
void refuse_legacy(const std::filesystem::path& path) {
  constexpr std::array<unsigned char, 13> kMagic = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                                    0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50};
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const bool legacy = bytes.size() >= kMagic.size() &&
                      std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                                 [](unsigned char a, std::byte b) { return std::byte{a} == b; });
  check_input(
      !legacy,
      "{}: was saved by torch before 1.6; load it with torch and save it again (torch.save)",
      path.string());
}

class TorchCheckpoint final : public TensorArchive {
 public:
  explicit TorchCheckpoint(const std::filesystem::path& path) : zip_(path) {
    const std::string stem = find_stem();
    check_byte_order(stem);
    const auto bytes = zip_.members().at(stem + "data.pkl");
    check_input(bytes.size() <= kMaxPickleBytes,
                "{}: its table of tensors has {} bytes, at most {}"
                " can be read",
                path.string(), bytes.size(), kMaxPickleBytes);
    const Pickle pickle(path, bytes, {kFunctions, kStorages});
    check_input(pickle.root().is(Kind::kDict), "{}: holds no table of tensors (a state dict)",
                path.string());
    for (const auto& [key, value] : pickle.root().pairs) {
      check_input(key->is(Kind::kText), "{}: its table of tensors has a key that is not a text",
                  path.string());
      auto [entry, view] = TensorParser(zip_, stem, key->text).parse(*value);
      check_input(views_.emplace(key->text, std::move(view)).second, "{}: two tensors are named {}",
                  path.string(), key->text);
      entries_.push_back(std::move(entry));
    }
  }

  const std::filesystem::path& path() const override { return zip_.path(); }
  const std::vector<ArchiveEntry>& entries() const override { return entries_; }

  Tensor read(const std::string& name) const override {
    const ArchiveEntry* const entry = find(name);
    check_input(entry != nullptr, "{}: has no tensor {}", path().string(), name);
    const View& view = views_.at(name);
    // The offset of a tensor without elements was not checked and is not used.
    const bool empty = element_count(entry->shape) == 0;
    const auto skipped = empty ? 0 : static_cast<std::size_t>(view.offset) * size_of(entry->type);
    return decode_elements(path(), *entry, view.strides, view.storage.data() + skipped);
  }

  bool same_storage(const std::string& a, const std::string& b) const override {
    const ArchiveEntry* const x = find(a);
    const ArchiveEntry* const y = find(b);
    check_input(x != nullptr && y != nullptr, "{}: has no tensor {}", path().string(),
                x == nullptr ? a : b);
    const View& v = views_.at(a);
    const View& w = views_.at(b);
    return v.key == w.key && v.offset == w.offset && v.strides == w.strides &&
           x->shape == y->shape && x->type == y->type;
  }

 private:
  // The folder of data.pkl, with its slash.
  std::string find_stem() const {
    constexpr std::string_view kTable = "data.pkl";
    const std::string* found = nullptr;
    for (const auto& [name, bytes] : zip_.members()) {
      if (name != kTable && !name.ends_with("/data.pkl")) continue;
      check_input(found == nullptr, "{}: has two tables of tensors, {} and {}", path().string(),
                  found == nullptr ? name : *found, name);
      found = &name;
    }
    check_input(found != nullptr, "{}: is not a file of torch.save: it has no data.pkl",
                path().string());
    return found->substr(0, found->size() - kTable.size());
  }
  void check_byte_order(const std::string& stem) const {
    const auto member = zip_.members().find(stem + "byteorder");
    if (member == zip_.members().end()) return;
    const std::string_view order(reinterpret_cast<const char*>(member->second.data()),
                                 member->second.size());
    check_input(order == "little", "{}: its byte order is '{}'; only little can be read",
                path().string(), order);
  }

  StoredZip zip_;
  std::vector<ArchiveEntry> entries_;
  std::unordered_map<std::string, View> views_;
};

}  // namespace

std::unique_ptr<TensorArchive> open_torch_checkpoint(const std::filesystem::path& path) {
  refuse_legacy(path);
  return std::make_unique<TorchCheckpoint>(path);
}

}  // namespace lodestone
