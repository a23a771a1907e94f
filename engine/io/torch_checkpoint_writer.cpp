// What torch.load opens: see torch_checkpoint_reader.cpp for the container.
#include <map>
#include <tuple>

#include "engine/core/check.h"
#include "engine/io/elements.h"
#include "engine/io/files.h"
#include "engine/io/stored_zip.h"
#include "engine/io/tensor_archive.h"

namespace lodestone {

namespace {

// Protocol 2; opcodes as in pickle.cpp.
class TableWriter {
 public:
  TableWriter() { text_ = "\x80\x02}("; }

  // {name: _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())}
  void add(const NamedTensor& item, std::size_t key) {
    const auto shape = item.tensor.shape().dims();
    put_text(item.name);
    text_ += "ctorch._utils\n_rebuild_tensor_v2\n(";
    put_storage(item.tensor, key);
    put_integer(0);
    put_tuple(shape);
    put_tuple(row_major_strides(shape));
    text_ += '\x89';  // False
    text_ += "ccollections\nOrderedDict\n)R";
    text_ += "tR";
  }
  std::string finish() && {
    text_ += "u.";
    return std::move(text_);
  }

 private:
  void put_storage(const Tensor& tensor, std::size_t key) {
    text_ += '(';
    put_text("storage");
    text_ += fmt::format("ctorch\n{}\n", storage_name(tensor.dtype()));
    put_text(std::to_string(key));
    put_text("cpu");
    put_integer(tensor.numel());
    text_ += "tQ";
  }
  void put_text(std::string_view text) {
    text_ += 'X';
    put_bytes(static_cast<std::uint32_t>(text.size()));
    text_ += text;
  }
  void put_integer(std::int64_t value) {
    if (value == static_cast<std::int32_t>(value)) {
      text_ += 'J';
      put_bytes(static_cast<std::int32_t>(value));
    } else {
      text_ += '\x8a';
      text_ += static_cast<char>(sizeof value);
      put_bytes(value);
    }
  }
  void put_tuple(std::span<const std::int64_t> items) {
    text_ += '(';
    for (const std::int64_t item : items) put_integer(item);
    text_ += 't';
  }
  template <class T>
  void put_bytes(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  static std::string_view storage_name(DType dtype) {
    switch (dtype) {
      case DType::kF64:
        return "DoubleStorage";
      case DType::kF32:
        return "FloatStorage";
      case DType::kBf16:
        return "BFloat16Storage";
      case DType::kI64:
        return "LongStorage";
      case DType::kI32:
        return "IntStorage";
      case DType::kU8:
        return "ByteStorage";
    }
    fail(ErrorKind::kInternal, "write_torch_checkpoint: a dtype without a storage");
  }

  std::string text_;
};

}  // namespace

void write_torch_checkpoint(const std::filesystem::path& path,
                            const std::vector<NamedTensor>& tensors) {
  check_named_tensors(path, tensors);
  // Tensors that share their memory share a storage, so that tied weights stay tied.
  std::map<std::tuple<const void*, std::size_t, DType>, std::size_t> keys;
  std::vector<const Tensor*> storages;
  TableWriter table;
  for (const NamedTensor& item : tensors) {
    const Tensor& tensor = item.tensor;
    const auto [place, is_new] =
        keys.try_emplace({tensor.data(), tensor.bytes(), tensor.dtype()}, storages.size());
    if (is_new) storages.push_back(&tensor);
    table.add(item, place->second);
  }
  const std::string text = std::move(table).finish();
  publish_file(path, [&](const std::filesystem::path& staged) {
    StoredZipWriter zip(staged);
    zip.add("archive/data.pkl", std::as_bytes(std::span(text)));
    for (std::size_t key = 0; key < storages.size(); ++key)
      zip.add(fmt::format("archive/data/{}", key), bytes_of(*storages[key]));
    zip.add("archive/version", std::as_bytes(std::span(std::string_view("3\n"))));
    zip.finish();
  });
}

}  // namespace lodestone
