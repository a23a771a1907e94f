// safetensors: u64 header length, a JSON header, the elements. Format and validation:
// https://github.com/huggingface/safetensors (README.md, "Format").
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "engine/core/check.h"
#include "engine/io/elements.h"
#include "engine/io/files.h"
#include "engine/io/tensor_archive.h"

namespace lodestone {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr int kMaxDepth = 4;  // {"name": {"shape": [1]}} is 3 deep
constexpr const char* kMetadata = "__metadata__";

// Ascending, as the reference orders types; its writer puts the last first.
constexpr std::pair<std::string_view, ElementType> kTypes[] = {
    {"BOOL", ElementType::kBool}, {"U8", ElementType::kU8},   {"I8", ElementType::kI8},
    {"I16", ElementType::kI16},   {"F16", ElementType::kF16}, {"BF16", ElementType::kBf16},
    {"I32", ElementType::kI32},   {"F32", ElementType::kF32}, {"F64", ElementType::kF64},
    {"I64", ElementType::kI64}};

std::size_t order_of(ElementType type) {
  const auto found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const auto& item) { return item.second == type; });
  return static_cast<std::size_t>(found - std::begin(kTypes));
}

// A JSON object of bounded depth without duplicate keys.
json parse_header(const std::filesystem::path& path, std::string_view text) {
  check_input(!text.empty() && text.front() == '{',
              "{}: not a safetensors file: its header does not begin with '{{'", path.string());
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    check_input(depth <= kMaxDepth, "{}: the safetensors header is nested too deeply",
                path.string());
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key)
      check_input(keys.back().insert(parsed.get<std::string>()).second,
                  "{}: the safetensors header has the key {} twice", path.string(),
                  parsed.get<std::string>());
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    fail(ErrorKind::kBadInput, "{}: the safetensors header is not JSON: {}", path.string(),
         error.what());
  }
}

struct Extent {
  std::uint64_t begin = 0, end = 0;  // bytes, from the start of the elements
};

// {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, each of its JSON type.
std::pair<ArchiveEntry, Extent> parse_entry(const std::filesystem::path& path,
                                            const std::string& name, const json& item) {
  const auto whole_numbers = [](const json& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(),
                                          [](const json& n) { return n.is_number_unsigned(); });
  };
  check_input(item.is_object() && item.size() == 3 && item.contains("dtype") &&
                  item.contains("shape") && item.contains("data_offsets") &&
                  item["dtype"].is_string() && whole_numbers(item["shape"]) &&
                  whole_numbers(item["data_offsets"]) && item["data_offsets"].size() == 2,
              "{}: tensor {} must have a dtype, a shape of whole numbers and two data_offsets",
              path.string(), name);
  const auto type_name = item["dtype"].get<std::string>();
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const auto& known) { return known.first == type_name; });
  check_input(type != std::end(kTypes),
              "{}: tensor {} has type {}; F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL can "
              "be read",
              path.string(), name, type_name);
  ArchiveEntry entry{name, type->second, {}};
  for (const json& extent : item["shape"]) {
    check_input(extent.get<std::uint64_t>() <= INT64_MAX, "{}: tensor {} has the extent {}",
                path.string(), name, extent.get<std::uint64_t>());
    entry.shape.push_back(extent.get<std::int64_t>());
  }
  const json& offsets = item["data_offsets"];
  return std::pair(std::move(entry),
                   Extent{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()});
}

void check_metadata(const std::filesystem::path& path, const json& metadata) {
  check_input(
      metadata.is_object() && std::all_of(metadata.begin(), metadata.end(),
                                          [](const json& value) { return value.is_string(); }),
      "{}: {} must map texts to texts", path.string(), kMetadata);
}

class Safetensors final : public TensorArchive {
 public:
  explicit Safetensors(const std::filesystem::path& path) : file_(path) {
    const auto bytes = file_.bytes();
    std::uint64_t header = 0;
    check_input(bytes.size() >= sizeof header, "{}: not a safetensors file: it has {} bytes",
                path.string(), bytes.size());
    std::memcpy(&header, bytes.data(), sizeof header);
    check_input(header <= kMaxHeaderBytes && header <= bytes.size() - sizeof header,
                "{}: not a safetensors file or truncated: it claims a header of {} bytes and has "
                "{} in all",
                path.string(), header, bytes.size());
    const auto* const text = reinterpret_cast<const char*>(bytes.data() + sizeof header);
    elements_ = bytes.subspan(sizeof header + header);
    list_entries(parse_header(path, {text, header}));
  }

  const std::filesystem::path& path() const override { return file_.path(); }
  const std::vector<ArchiveEntry>& entries() const override { return entries_; }

  Tensor read(const std::string& name) const override {
    const ArchiveEntry* const entry = find(name);
    check_input(entry != nullptr, "{}: has no tensor {}", path().string(), name);
    return decode_elements(path(), *entry, row_major_strides(entry->shape),
                           elements_.data() + extents_.at(name).begin);
  }

  // The format forbids overlap.
  bool same_storage(const std::string& a, const std::string& b) const override { return a == b; }

 private:
  void list_entries(const json& header) {
    for (const auto& [name, item] : header.items()) {
      if (name == kMetadata) {
        check_metadata(path(), item);
        continue;
      }
      auto [entry, extent] = parse_entry(path(), name, item);
      extents_.emplace(name, extent);
      entries_.push_back(std::move(entry));
    }
    std::stable_sort(entries_.begin(), entries_.end(), [&](const auto& a, const auto& b) {
      const Extent& x = extents_.at(a.name);
      const Extent& y = extents_.at(b.name);
      return std::pair(x.begin, x.end) < std::pair(y.begin, y.end);
    });
    check_extents();
  }

  // In order, the tensors cover the elements without a hole or an overlap.
  void check_extents() const {
    std::uint64_t covered = 0;
    for (const ArchiveEntry& entry : entries_) {
      const Extent& extent = extents_.at(entry.name);
      check_input(extent.begin == covered,
                  "{}: tensor {} begins at byte {} of the elements, expected {} (a hole or an "
                  "overlap)",
                  path().string(), entry.name, extent.begin, covered);
      const auto count = element_count(entry.shape);
      std::uint64_t expected = 0;
      check_input(count && !__builtin_mul_overflow(static_cast<std::uint64_t>(*count),
                                                   size_of(entry.type), &expected),
                  "{}: tensor {} of shape [{}] is too large", path().string(), entry.name,
                  fmt::join(entry.shape, ", "));
      check_input(extent.end >= extent.begin && extent.end - extent.begin == expected,
                  "{}: tensor {} of shape [{}] needs {} bytes, its data_offsets are {} and {}",
                  path().string(), entry.name, fmt::join(entry.shape, ", "), expected, extent.begin,
                  extent.end);
      covered = extent.end;
    }
    check_input(covered == elements_.size(),
                "{}: the tensors cover {} bytes, the file has {}; it is truncated or has more than "
                "its header says",
                path().string(), covered, elements_.size());
  }

  MappedFile file_;
  std::span<const std::byte> elements_;
  std::vector<ArchiveEntry> entries_;
  std::unordered_map<std::string, Extent> extents_;
};

std::string header_of(const std::vector<const NamedTensor*>& tensors) {
  ordered_json header;
  header[kMetadata] = {{"format", "pt"}};
  std::uint64_t begin = 0;
  for (const NamedTensor* item : tensors) {
    const auto type = element_type_of(item->tensor.dtype());
    const std::uint64_t end = begin + item->tensor.bytes();
    const auto dims = item->tensor.shape().dims();
    ordered_json entry;
    entry["dtype"] = kTypes[order_of(type)].first;
    entry["shape"] = std::vector<std::int64_t>(dims.begin(), dims.end());
    entry["data_offsets"] = {begin, end};
    header[item->name] = std::move(entry);
    begin = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

std::unique_ptr<TensorArchive> open_safetensors(const std::filesystem::path& path) {
  return std::make_unique<Safetensors>(path);
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  check_named_tensors(path, tensors);
  std::vector<const NamedTensor*> ordered;
  for (const NamedTensor& item : tensors) {
    check(item.name != kMetadata, "{}: a tensor cannot be named {}", path.string(), kMetadata);
    ordered.push_back(&item);
  }
  std::sort(ordered.begin(), ordered.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const auto rank = [](const NamedTensor* item) {
      return order_of(element_type_of(item->tensor.dtype()));
    };
    return rank(a) != rank(b) ? rank(a) > rank(b) : a->name < b->name;
  });
  const std::string header = header_of(ordered);
  publish_file(path, [&](const std::filesystem::path& staged) {
    OutputFile file(staged);
    const std::uint64_t size = header.size();
    file.write(std::as_bytes(std::span(&size, 1)));
    file.write(header);
    for (const NamedTensor* item : ordered) file.write(bytes_of(item->tensor));
    file.close();
  });
}

}  // namespace lodestone
