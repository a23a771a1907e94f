#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "engine/io/stored_zip.h"
#include "engine/io/tensor_archive.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/torch_archive.h"

namespace lodestone {
namespace {

using namespace std::string_literals;
using testing::bytes_of;
using testing::expect_error;
using testing::pickled;
using testing::pickled_command;
using testing::TemporaryFolder;
using testing::write_member;
using testing::write_torch_archive;

std::string number(std::int64_t value) {
  return "\x8a\x08" + bytes_of(value);
}
std::string numbers(const std::vector<std::int64_t>& values) {
  std::string result = "(";
  for (const auto value : values) result += number(value);
  return result + "t";
}

// A tensor's pickle, each part replaceable.
struct TensorPickle {
  std::string function = "torch._utils\n_rebuild_tensor_v2";
  std::string type = "torch\nFloatStorage";
  std::string key = "0";
  std::int64_t stored = 6;
  std::int64_t offset = 0;
  std::vector<std::int64_t> size = {2, 3};
  std::vector<std::int64_t> stride = {3, 1};

  std::string bytes() const {
    return "c" + function + "\n((" + pickled("storage") + "c" + type + "\n" + pickled(key) +
           pickled("cpu") + number(stored) + "tQ" + number(offset) + numbers(size) +
           numbers(stride) + "\x89" + "ccollections\nOrderedDict\n)RtR";
  }
};
std::string table(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string result = "\x80\x02}(";
  for (const auto& [name, value] : items) result += pickled(name) + value;
  return result + "u.";
}
std::string table_of(const TensorPickle& tensor) {
  return table({{"a", tensor.bytes()}});
}

constexpr const char* kEmptyTable = "\x80\x02}.";

void expect_refused(const std::string& pickle, const std::string& why) {
  const TemporaryFolder folder;
  write_torch_archive(folder / "a.bin", pickle);
  expect_error(ErrorKind::kBadInput, why, [&] { open_torch_checkpoint(folder / "a.bin"); });
}
void expect_file_refused(const std::string& bytes, const std::string& why) {
  const TemporaryFolder folder;
  write_text(folder / "a.bin", bytes);
  expect_error(ErrorKind::kBadInput, why, [&] { open_torch_checkpoint(folder / "a.bin"); });
}
TEST(TorchCheckpoint, ViewsStridesAndTies) {
  const TemporaryFolder folder;
  TensorPickle whole, transposed, row, parameter;
  transposed.size = {3, 2};
  transposed.stride = {1, 3};
  row.offset = 3;
  row.size = {3};
  row.stride = {1};
  const std::string wrapped = "ctorch._utils\n_rebuild_parameter\n(" + whole.bytes() + "\x88" +
                              "ccollections\nOrderedDict\n)RtR";
  write_torch_archive(folder / "a.bin", table({{"whole", whole.bytes()},
                                               {"transposed", transposed.bytes()},
                                               {"row", row.bytes()},
                                               {"parameter", wrapped}}));
  const auto archive = open_torch_checkpoint(folder / "a.bin");
  ASSERT_EQ(archive->entries().size(), 4u);
  EXPECT_EQ(archive->entries()[1].name, "transposed");
  const Tensor turned = archive->read("transposed");
  EXPECT_EQ(turned.shape(), Shape({3, 2}));
  const std::vector<float> expected = {0, 3, 1, 4, 2, 5};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), turned.host<float>().begin()));
  EXPECT_EQ(archive->read("row").host<float>()[2], 5.f);
  EXPECT_TRUE(archive->same_storage("whole", "parameter"));
  EXPECT_FALSE(archive->same_storage("whole", "transposed"));
  EXPECT_FALSE(archive->same_storage("whole", "row"));
}

TEST(TorchCheckpoint, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const auto path = folder / "model.bin";
  const Tensor tied = Tensor::from<float>({1, 2, 3, 4}).view({2, 2});
  write_torch_checkpoint(path, {{"tied", tied},
                                {"again", tied},
                                {"long", Tensor::from<std::int64_t>({1, -2})},
                                {"bf16", Tensor::from<BFloat16>({BFloat16(0.5f)})},
                                {"int", Tensor::from<std::int32_t>({-7})},
                                {"byte", Tensor::from<std::uint8_t>({200})},
                                {"double", Tensor::from<double>({0.1}).view({})},
                                {"none", Tensor::empty({0, 3}, DType::kF32, Device::cpu())}});
  const auto archive = open_torch_checkpoint(path);
  EXPECT_EQ(archive->entries().size(), 8u);
  EXPECT_TRUE(archive->same_storage("tied", "again"));
  EXPECT_EQ(archive->read("again").host<float>()[3], 4.f);
  EXPECT_EQ(archive->read("long").host<std::int64_t>()[1], -2);
  EXPECT_EQ(archive->read("bf16").host<float>()[0], 0.5f);
  EXPECT_EQ(archive->read("int").host<std::int64_t>()[0], -7);
  EXPECT_EQ(archive->read("byte").host<std::int64_t>()[0], 200);
  EXPECT_EQ(archive->read("double").host<double>()[0], 0.1);
  EXPECT_EQ(archive->read("none").shape(), Shape({0, 3}));
}

TEST(TorchCheckpoint, ReadsThePublishedContainer) {
  const char* const given = std::getenv("LODESTONE_SHARED");
  const std::filesystem::path golden =
      std::filesystem::path(given != nullptr ? given : "../shared") / "golden/small";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << "needs " << golden;
  const auto archive = open_torch_checkpoint(golden / "pytorch_model.bin");
  const auto weights = hdf5::File::open(golden / "golden.h5").group("weights");
  const auto same = [](const auto& found, const auto& expected) {
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end());
  };
  const auto names = weights.children();
  EXPECT_GT(names.size(), 50u);
  for (const std::string& name : names) {
    const hdf5::Dataset expected = weights.dataset(name);
    const Tensor found = archive->read(name);
    EXPECT_EQ(archive->find(name)->shape, expected.shape()) << name;
    if (found.dtype() == DType::kI64)
      EXPECT_TRUE(same(found.host<std::int64_t>(), expected.read<std::int64_t>())) << name;
    else
      EXPECT_TRUE(same(found.host<float>(), expected.read<float>())) << name;
  }
}

TEST(TorchCheckpoint, TorchOpensWhatIsWritten) {
  const char* const given = std::getenv("LODESTONE_PYTHON");
  const std::string python = given != nullptr ? given : "/usr/bin/python3";
  if (std::system((python + " -c 'import torch' 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << "needs " << python << " with torch";
  const TemporaryFolder folder;
  const Tensor tied = Tensor::from<float>({1, 2, 3, 4, 5, 6}).view({2, 3});
  write_torch_checkpoint(folder / "a.bin", {{"a", tied},
                                            {"b", tied},
                                            {"half", Tensor::from<BFloat16>({BFloat16(0.5f)})},
                                            {"scalar", Tensor::from<double>({0.25}).view({})},
                                            {"ids", Tensor::from<std::int64_t>({7, -8})}});
  write_text(folder / "check.py",
             "import sys, torch\n"
             "t = torch.load(sys.argv[1])\n"
             "assert t['a'].tolist() == [[1, 2, 3], [4, 5, 6]]\n"
             "assert t['a'].data_ptr() == t['b'].data_ptr()\n"
             "assert t['half'].dtype == torch.bfloat16 and t['half'].item() == 0.5\n"
             "assert t['scalar'].shape == () and t['scalar'].item() == 0.25\n"
             "assert t['ids'].tolist() == [7, -8]\n");
  EXPECT_EQ(std::system(
                (python + " " + (folder / "check.py").string() + " " + (folder / "a.bin").string())
                    .c_str()),
            0);
}

TEST(TorchCheckpoint, RefusesAnUnknownGlobal) {
  expect_refused(pickled_command("true"), "names the global 'os system'");
  expect_refused(
      "\x80\x02"
      "cbuiltins\neval\n.",
      "names the global 'builtins eval'");
}

TEST(TorchCheckpoint, RefusesToCallWhatIsNoFunction) {
  expect_refused(
      "\x80\x02"
      "ctorch\nFloatStorage\n)R.",
      "calls 'torch FloatStorage'");
  expect_refused(
      "\x80\x02"
      "K\x01)R.",
      "calls something that is not a function");
  expect_refused(
      "\x80\x02"
      "ccollections\nOrderedDict\n(K\x01tR.",
      "calls 'collections OrderedDict'");
  expect_refused(
      "\x80\x02"
      "ccollections\nOrderedDict\nK\x01R.",
      "without a tuple of arguments");
}

TEST(TorchCheckpoint, RefusesOtherOpcodes) {
  expect_refused(
      "\x80\x02"
      "I1\n.",
      "opcode 0x49 at byte 2");  // INT
  expect_refused(
      "\x80\x02"
      "(ios\nsystem\n.",
      "opcode 0x69");  // INST
  expect_refused(
      "\x80\x02"
      "\x8c\x02os\x8c\x06system\x93.",
      "opcode 0x8c");  // STACK_GLOBAL
  expect_refused(
      "\x80\x04"
      ".",
      "protocol is 4");
}

TEST(TorchCheckpoint, RefusesBrokenPickles) {
  expect_refused("", "ends too early");
  expect_refused(
      "\x80\x02"
      "X\xff\xff\xff\xffx",
      "ends too early");
  expect_refused(
      "\x80\x02"
      "ctorch",
      "ends too early");
  expect_refused("\x80\x02.", "lacks its operand");
  expect_refused("\x80\x02t.", "lacks its mark");
  expect_refused("\x80\x02(.", "lacks its operand");
  expect_refused("\x80\x02h\x07.", "recalls memo 7");
  expect_refused("\x80\x02}}.", "more than one value");
  expect_refused("\x80\x02}.}", "goes on after its end");
  expect_refused("\x80\x02}(K\x01u.", "a key without a value");
  expect_refused("\x80\x02K\x01K\x02K\x03s.", "not a dict");
  expect_refused("\x80\x02K\x01}b.", "not an OrderedDict");
  expect_refused("\x80\x02K\x01Q.", "not a tuple");
  expect_refused("\x80\x02\x8a\x09" + std::string(9, '\1') + ".", "a number of 9 bytes");
}

TEST(TorchCheckpoint, RefusesATableThatHoldsItself) {
  expect_refused("\x80\x02}q"s + '\0' + "(" + pickled("a") + "h" + '\0' + "u.",
                 "entry a is not a tensor");
}

TEST(TorchCheckpoint, RefusesWhatIsNoTableOfTensors) {
  expect_refused("\x80\x02K\x01.", "holds no table of tensors");
  expect_refused(table({{"epoch", "K\x03"}}), "entry epoch is not a tensor");
  expect_refused("\x80\x02}K\x01K\x02s.", "a key that is not a text");
}

TEST(TorchCheckpoint, RefusesDuplicateNames) {
  expect_refused(table({{"a", TensorPickle().bytes()}, {"a", TensorPickle().bytes()}}),
                 "two tensors are named a");
}

TEST(TorchCheckpoint, RefusesStoragesBeyondTheFile) {
  TensorPickle tensor;
  tensor.stored = 7;
  expect_refused(table_of(tensor), "claims 7 stored elements, the file has 6");
  tensor.stored = INT64_MAX;
  expect_refused(table_of(tensor), "claims 9223372036854775807 stored elements");
  tensor = {};
  tensor.type = "torch\nDoubleStorage";
  expect_refused(table_of(tensor), "claims 6 stored elements, the file has 3");
  tensor = {};
  tensor.key = "../0";
  expect_refused(table_of(tensor), "is in storage ../0, which is missing");
}

TEST(TorchCheckpoint, RefusesViewsBeyondTheirStorage) {
  TensorPickle tensor;
  tensor.offset = 1;
  expect_refused(table_of(tensor), "reaches beyond its storage of 6 elements");
  tensor = {};
  tensor.stride = {4, 1};
  expect_refused(table_of(tensor), "reaches beyond its storage of 6 elements");
  tensor = {};
  tensor.size = {7};
  tensor.stride = {0};
  expect_refused(table_of(tensor), "larger than its storage of 6 elements");
}

TEST(TorchCheckpoint, RefusesNegativeAndOverflowingNumbers) {
  TensorPickle tensor;
  tensor.size = {-2, 3};
  expect_refused(table_of(tensor), "has the size -2");
  tensor = {};
  tensor.stride = {-3, 1};
  expect_refused(table_of(tensor), "has the stride -3");
  tensor = {};
  tensor.offset = -1;
  expect_refused(table_of(tensor), "has the offset -1");
  tensor = {};
  tensor.size = {INT64_C(1) << 32, INT64_C(1) << 32};
  expect_refused(table_of(tensor), "larger than its storage");
  tensor = {};
  tensor.stride = {INT64_MAX, INT64_MAX};
  expect_refused(table_of(tensor), "reaches beyond its storage");
  tensor = {};
  tensor.stride = {1};
  expect_refused(table_of(tensor), "as many strides as sizes");
}

TEST(TorchCheckpoint, RefusesOtherContainers) {
  expect_file_refused("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", "before 1.6");
  const TemporaryFolder folder;
  StoredZipWriter zip(folder / "a.bin");
  write_member(zip, "m/data.pkl", kEmptyTable);
  write_member(zip, "m/byteorder", "big");
  zip.finish();
  expect_error(ErrorKind::kBadInput, "byte order is 'big'",
               [&] { open_torch_checkpoint(folder / "a.bin"); });
}

}  // namespace
}  // namespace lodestone
