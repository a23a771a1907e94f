#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "engine/io/files.h"
#include "engine/io/tensor_archive.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

std::string little_endian(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string file_of(const std::string& header, std::size_t elements) {
  return little_endian(header.size()) + header + std::string(elements, '\0');
}

// The file of {"b": f32 [1, -2]} as the reference library writes it.
std::string golden_file() {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )";
  return little_endian(header.size()) + header + std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
}

// Opening a file of these bytes must say `text`.
void expect_refused(const std::string& bytes, const std::string& text) {
  const TemporaryFolder folder;
  write_text(folder / "a.safetensors", bytes);
  expect_error(ErrorKind::kBadInput, text, [&] { open_safetensors(folder / "a.safetensors"); });
  expect_error(ErrorKind::kBadInput, "a.safetensors",
               [&] { open_safetensors(folder / "a.safetensors"); });
}

TEST(Safetensors, WritesTheReferencesBytes) {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"b", Tensor::from<float>({1.f, -2.f})}});
  EXPECT_EQ(golden_file().size(), 104u);
  EXPECT_EQ(read_text(path), golden_file());
}

TEST(Safetensors, ReadsTheReferencesBytes) {
  const TemporaryFolder folder;
  write_text(folder / "a", golden_file());
  const auto archive = open_safetensors(folder / "a");
  ASSERT_EQ(archive->entries().size(), 1u);
  EXPECT_EQ(archive->entries()[0].shape, std::vector<std::int64_t>{2});
  const Tensor b = archive->read("b");
  EXPECT_EQ(b.host<float>()[0], 1.f);
  EXPECT_EQ(b.host<float>()[1], -2.f);
  expect_error(ErrorKind::kBadInput, "has no tensor c", [&] { archive->read("c"); });
}

TEST(Safetensors, EveryTypeComesBack) {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"u8", Tensor::from<std::uint8_t>({0, 255})},
                           {"i32", Tensor::from<std::int32_t>({-5, 7})},
                           {"i64", Tensor::from<std::int64_t>({INT64_MIN, 9})},
                           {"bf16", Tensor::from<BFloat16>({BFloat16(1.5f)})},
                           {"f32", Tensor::from<float>({0.25f, 1, 2, 3, 4, 5}).view({2, 3})},
                           {"f64", Tensor::from<double>({0.1}).view({})},
                           {"none", Tensor::empty({3, 0}, DType::kF32, Device::cpu())}});
  const auto archive = open_safetensors(path);
  EXPECT_EQ(archive->entries().front().name, "i64");  // widest first, as the reference orders
  EXPECT_EQ(archive->read("u8").host<std::int64_t>()[1], 255);
  EXPECT_EQ(archive->read("i32").host<std::int64_t>()[0], -5);
  EXPECT_EQ(archive->read("i64").host<std::int64_t>()[0], INT64_MIN);
  EXPECT_EQ(archive->read("bf16").host<float>()[0], 1.5f);
  EXPECT_EQ(archive->read("f32").shape(), Shape({2, 3}));
  EXPECT_EQ(archive->read("f32").host<float>()[5], 5.f);
  EXPECT_EQ(archive->read("f64").shape(), Shape{});
  EXPECT_EQ(archive->read("f64").host<double>()[0], 0.1);
  EXPECT_EQ(archive->read("none").shape(), Shape({3, 0}));
  EXPECT_FALSE(archive->same_storage("u8", "i32"));
}

// binary16: 1, the least subnormal number, -2, infinity, NaN.
TEST(Safetensors, HalfPrecisionIsExact) {
  const TemporaryFolder folder;
  const std::string header = R"({"h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]}})";
  write_text(folder / "a", little_endian(header.size()) + header +
                               std::string("\x00\x3c\x01\x00\x00\xc0\x00\x7c\x01\x7e", 10));
  const Tensor h = open_safetensors(folder / "a")->read("h");
  EXPECT_EQ(h.host<float>()[0], 1.f);
  EXPECT_EQ(h.host<float>()[1], 0x1p-24f);
  EXPECT_EQ(h.host<float>()[2], -2.f);
  EXPECT_TRUE(std::isinf(h.host<float>()[3]));
  EXPECT_TRUE(std::isnan(h.host<float>()[4]));
}

TEST(Safetensors, RefusesWhatIsNotOne) {
  expect_refused("", "it has 0 bytes");
  expect_refused("short", "it has 5 bytes");
  expect_refused(file_of("[1]", 0), "does not begin with '{'");
  expect_refused(file_of("{nonsense", 0), "is not JSON");
}

TEST(Safetensors, RefusesAHugeHeader) {
  expect_refused(little_endian(UINT64_MAX) + "{}", "claims a header of 18446744073709551615 bytes");
  expect_refused(little_endian(3) + "{}", "claims a header of 3 bytes");
}

TEST(Safetensors, RefusesATruncatedFile) {
  expect_refused(golden_file().substr(0, 103), "the tensors cover 8 bytes, the file has 7");
  expect_refused(golden_file() + "x", "the tensors cover 8 bytes, the file has 9");
}

TEST(Safetensors, RefusesAHole) {
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                         R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                         3),
                 "tensor b begins at byte 2 of the elements, expected 1");
}

TEST(Safetensors, RefusesAnOverlap) {
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                         R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                         3),
                 "tensor b begins at byte 1 of the elements, expected 2");
}

TEST(Safetensors, RefusesDuplicateKeys) {
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                         R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                         1),
                 "has the key a twice");
}

TEST(Safetensors, RefusesImpossibleShapes) {
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1),
                 "whole numbers");
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1),
                 "whole numbers");
  expect_refused(
      file_of(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}})", 1),
      "has the extent 18446744073709551615");
  expect_refused(
      file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4),
      "is too large");
  expect_refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
                 "needs 8 bytes, its data_offsets are 0 and 4");
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,-1]}})", 0),
                 "two data_offsets");
}

TEST(Safetensors, RefusesWhatTheFormatDoesNotKnow) {
  expect_refused(file_of(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1),
                 "has type F8_E4M3");
  expect_refused(file_of(R"({"__metadata__":{"a":1}})", 0), "must map texts to texts");
  expect_refused(file_of(R"({"a":{"b":{"c":{"d":{"e":{"f":1}}}}}})", 0), "nested too deeply");
  expect_refused(file_of("{\"a\xff\":1}", 0), "is not JSON");
}

TEST(Safetensors, FiveAxesAreListedButNotRead) {
  const TemporaryFolder folder;
  write_text(folder / "a",
             file_of(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1],"data_offsets":[0,1]}})", 1));
  const auto archive = open_safetensors(folder / "a");
  expect_error(ErrorKind::kBadInput, "has 5 axes", [&] { archive->read("a"); });
}

TEST(Safetensors, TheWriterRefusesBadNames) {
  const TemporaryFolder folder;
  const Tensor one = Tensor::from<float>({1.f});
  const auto write = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(folder / "a", tensors);
  };
  expect_error(ErrorKind::kInvalidArgument, "two tensors are named a", [&] {
    write({{"a", one}, {"a", one}});
  });
  expect_error(ErrorKind::kInvalidArgument, "not UTF-8", [&] { write({{"\xff", one}}); });
  expect_error(ErrorKind::kInvalidArgument, "__metadata__", [&] {
    write({{"__metadata__", one}});
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

}  // namespace
}  // namespace lodestone
