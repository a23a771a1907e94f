#include "engine/io/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "engine/core/error.h"

namespace lodestone::hdf5 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Hdf5Test : public ::testing::Test {
 protected:
  Hdf5Test()
      : folder_(std::filesystem::temp_directory_path() /
                ("lodestone_hdf5_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Hdf5Test() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

template <class Action>
Error thrown_by(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::kInternal, "", std::source_location::current()};
}

template <class T>
class Hdf5NumberTest : public Hdf5Test {};
using Numbers =
    ::testing::Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                     std::uint16_t, std::uint32_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(Hdf5NumberTest, Numbers);

TYPED_TEST(Hdf5NumberTest, KeepsTheExtremesOfEveryType) {
  const std::vector<TypeParam> values = {std::numeric_limits<TypeParam>::lowest(), TypeParam{0},
                                         TypeParam{7}, std::numeric_limits<TypeParam>::max()};
  const auto path = this->path("numbers.h5");
  {
    File file = File::create(path);
    file.create_numbers<TypeParam>("values", {2, 2}, values).set_numbers_attribute("copy", values);
    file.flush();
  }
  const File file = File::open(path);
  const Dataset dataset = file.dataset("values");
  EXPECT_EQ(dataset.read<TypeParam>(), values);
  EXPECT_EQ(dataset.numbers_attribute<TypeParam>("copy"), values);
  EXPECT_THAT(dataset.shape(), ElementsAre(2, 2));
  EXPECT_EQ(dataset.kind(), std::is_floating_point_v<TypeParam> ? Kind::kFloat : Kind::kInteger);
  EXPECT_THAT(dataset.read_rows<TypeParam>(1, 2), ElementsAre(values[2], values[3]));
}

TEST_F(Hdf5Test, ConvertsBetweenNumberTypes) {
  File file = File::create(path("convert.h5"));
  file.create_numbers<std::int64_t>("wide", {3}, std::vector<std::int64_t>{-1, 300, 70000});
  file.create_numbers<double>("real", {2}, std::vector<double>{2.75, -3.5});
  EXPECT_THAT(file.dataset("wide").read<float>(), ElementsAre(-1.0F, 300.0F, 70000.0F));
  EXPECT_THAT(file.dataset("wide").read<std::uint8_t>(), ElementsAre(0, 255, 255));
  EXPECT_THAT(file.dataset("real").read<std::int32_t>(), ElementsAre(2, -3));
}

TEST_F(Hdf5Test, KeepsTextsBoolsAndAttributes) {
  {
    File file = File::create(path("texts.h5"));
    Group group = file.create_group("obs");
    group.create_texts("names", {"a", "", "Zürich"});
    group.create_texts("none", {});
    group.create_text("note", "one line");
    group.create_bools("flags", {1, 0, 1});
    group.set_text_attribute("encoding-type", "first");
    group.set_text_attribute("encoding-type", "dataframe");
    group.set_texts_attribute("column-order", {"x", "y"});
    group.set_texts_attribute("empty", {});
    group.set_numbers_attribute<double>("empty-float", {});
    group.set_bool_attribute("ordered", true);
  }
  const File file = File::open(path("texts.h5"));
  const Group group = file.group("obs");
  EXPECT_THAT(group.dataset("names").read_texts(), ElementsAre("a", "", "Zürich"));
  EXPECT_THAT(group.dataset("names").read_texts(1, 3), ElementsAre("", "Zürich"));
  EXPECT_TRUE(group.dataset("none").read_texts().empty());
  EXPECT_EQ(file.dataset("obs/note").read_text(), "one line");
  EXPECT_EQ(group.dataset("flags").kind(), Kind::kBool);
  EXPECT_THAT(group.dataset("flags").read<std::uint8_t>(), ElementsAre(1, 0, 1));
  EXPECT_EQ(group.text_attribute("encoding-type"), "dataframe");
  EXPECT_THAT(group.texts_attribute("column-order"), ElementsAre("x", "y"));
  EXPECT_TRUE(group.texts_attribute("empty").empty());
  EXPECT_TRUE(group.texts_attribute("empty-float").empty());
  EXPECT_THAT(group.numbers_attribute<int>("ordered"), ElementsAre(1));
  EXPECT_THAT(group.children(), ElementsAre("flags", "names", "none", "note"));
  EXPECT_TRUE(file.has_group("obs"));
  EXPECT_TRUE(file.has_dataset("obs/flags"));
  EXPECT_FALSE(file.has("var/names"));
  EXPECT_FALSE(file.has_group("obs/flags"));
}

TEST_F(Hdf5Test, GrowsCompressedDatasets) {
  {
    File file = File::create(path("grow.h5"));
    Dataset growing = file.create_chunked<std::int32_t>("data", {0}, 1000, 4);
    Dataset table = file.create_chunked<float>("table", {0, 3}, 10, 0);
    for (std::int32_t first = 0; first < 5000; first += 700) {
      std::vector<std::int32_t> part(700);
      for (std::int32_t i = 0; i < 700; ++i) part[static_cast<std::size_t>(i)] = first + i;
      growing.append<std::int32_t>(part);
    }
    table.append<float>(std::vector<float>{1, 2, 3, 4, 5, 6});
    file.flush();
  }
  const File file = File::open(path("grow.h5"));
  const Dataset grown = file.dataset("data");
  ASSERT_EQ(grown.rows(), 5600);
  EXPECT_EQ(grown.chunk_rows(), 1000);
  const std::vector<std::int32_t> values = grown.read<std::int32_t>();
  for (std::int32_t i = 0; i < 5600; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], i);
  EXPECT_THAT(file.dataset("table").shape(), ElementsAre(2, 3));
  EXPECT_THAT(file.dataset("table").read_rows<float>(1, 2), ElementsAre(4, 5, 6));
}

TEST_F(Hdf5Test, ContiguousDatasetsLieWhereTheOffsetSays) {
  std::int64_t offset = 0;
  {
    File file = File::create(path("mapped.h5"));
    Dataset dataset = file.create_contiguous<std::uint32_t>("tokens", {4});
    offset = dataset.file_offset();
    dataset.write_rows<std::uint32_t>(0, std::vector<std::uint32_t>{10, 20, 30, 40});
    EXPECT_EQ(file.create_contiguous<float>("nothing", {0}).file_offset(), 0);
    file.flush();
  }
  EXPECT_EQ(File::open(path("mapped.h5")).dataset("tokens").file_offset(), offset);
  std::ifstream stream(path("mapped.h5"), std::ios::binary);
  stream.seekg(offset);
  std::vector<std::uint32_t> found(4);
  stream.read(reinterpret_cast<char*>(found.data()), 16);
  EXPECT_THAT(found, ElementsAre(10, 20, 30, 40));
}

TEST_F(Hdf5Test, CopiesAndRemovesMembers) {
  File source = File::create(path("source.h5"));
  source.create_group("uns").create_text("note", "kept");
  File target = File::create(path("target.h5"));
  target.copy_from(source, "uns");
  EXPECT_EQ(target.dataset("uns/note").read_text(), "kept");
  target.remove("uns");
  EXPECT_FALSE(target.has("uns"));
  EXPECT_TRUE(source.has("uns/note"));
}

TEST_F(Hdf5Test, FilesThatCannotBeReadAreNamed) {
  const Error missing = thrown_by([&] { File::open(path("absent.h5")); });
  EXPECT_EQ(missing.kind(), ErrorKind::kBadInput);
  EXPECT_THAT(missing.what(), HasSubstr("absent.h5: no such file"));

  std::ofstream(path("text.h5")) << "not HDF5 at all";
  const Error text = thrown_by([&] { File::open(path("text.h5")); });
  EXPECT_EQ(text.kind(), ErrorKind::kBadInput);
  EXPECT_THAT(text.what(), HasSubstr("text.h5: is not a readable HDF5 file (truncated?)"));

  File::create(path("cut.h5")).create_numbers<double>("x", {100}, std::vector<double>(100, 1.0));
  std::filesystem::resize_file(path("cut.h5"), 1000);
  const Error cut = thrown_by([&] { File::open(path("cut.h5")); });
  EXPECT_EQ(cut.kind(), ErrorKind::kBadInput);
  EXPECT_THAT(cut.what(), HasSubstr("cut.h5: is not a readable HDF5 file (truncated?)"));
}

TEST_F(Hdf5Test, WrongRequestsAreNamed) {
  File file = File::create(path("wrong.h5"));
  file.create_texts("names", {"a"});
  file.create_numbers<float>("x", {2}, std::vector<float>{1, 2});
  const auto message = [](auto&& action) { return std::string(thrown_by(action).what()); };
  EXPECT_THAT(message([&] { file.dataset("names").read<float>(); }),
              HasSubstr("wrong.h5: names: must hold numbers"));
  EXPECT_THAT(message([&] { file.dataset("x").read_texts(); }), HasSubstr("must hold strings"));
  EXPECT_THAT(message([&] { file.dataset("y"); }), HasSubstr("wrong.h5: y: no such dataset"));
  EXPECT_THAT(message([&] { file.dataset("x").text_attribute("unit"); }),
              HasSubstr("wrong.h5: x: attribute 'unit' is missing"));
  EXPECT_THAT(message([&] { file.group("x"); }), HasSubstr("no such group"));
  EXPECT_THAT(message([&] { file.dataset("x").read_rows<float>(1, 3); }), HasSubstr("rows [1, 3)"));
  EXPECT_THAT(message([&] { file.text_attribute("version"); }),
              HasSubstr("wrong.h5: attribute 'version' is missing"));
}

}  // namespace
}  // namespace lodestone::hdf5
