// cuBLASLt as far as a machine without a device goes: loading it, what is said when that fails, and
// the file of chosen algorithms.
#include "kernels/cuda/cublaslt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/core/error.h"
#include "engine/core/log.h"
#include "kernels/cuda/choices_cublaslt.h"
#include "kernels/cuda/matrix_product.h"

namespace lodestone::kernels {
namespace {

using ::testing::HasSubstr;

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    return error.what();
  }
  return "no error";
}

TEST(CublasLt, IsLoadedAtRunTime) {
  try {
    EXPECT_GE(cublaslt().version(), 130000u);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
}

TEST(CublasLt, SaysWhatCouldNotBeLoaded) {
  const std::string text = error_of([] { load_cublaslt({"libnosuch.so.1", "libnorthis.so.2"}); });
  EXPECT_THAT(text, HasSubstr("libnosuch.so.1: cannot open shared object file"));
  EXPECT_THAT(text, HasSubstr("libnorthis.so.2"));
}

TEST(CublasLt, SaysWhatALibraryLacks) {
  EXPECT_EQ(error_of([] { load_cublaslt({"libc.so.6"}); }),
            "this cuBLASLt lacks cublasLtCreate: expected that of CUDA 13");
}

TEST(CublasLt, PreparingWithoutADeviceSaysSo) {
  if (cuda_device_count() > 0) GTEST_SKIP() << "this machine has a CUDA device";
  EXPECT_EQ(error_of([] { prepare_matrix_products(Device::cuda(), {}); }), cuda_problem());
}

class Choices : public ::testing::Test {
 public:
  Choices() {
    log::set_level(log::Level::kError);  // hundreds of warnings are expected
    std::string pattern = (std::filesystem::temp_directory_path() / "lodestone-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ / "deeper" / "products.txt";
  }
  ~Choices() override {
    std::filesystem::remove_all(folder_);
    log::set_level(log::Level::kInfo);
  }

 protected:
  std::string text() const {
    std::ostringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  static constexpr Algorithm kFirst{1, 2, 3, 4, 5, 6, 7, 0xffffffffffffffff}, kSecond{9};
  std::filesystem::path folder_, file_;
};

TEST_F(Choices, AreReadBack) {
  AlgorithmChoices(file_, "card A").add("f32:1x2x3", kFirst);
  AlgorithmChoices(file_, "card A").add("bf16:4x5x6", kSecond);
  const AlgorithmChoices read(file_, "card A");
  ASSERT_NE(read.find("f32:1x2x3"), nullptr);
  EXPECT_EQ(*read.find("f32:1x2x3"), kFirst);
  ASSERT_NE(read.find("bf16:4x5x6"), nullptr);
  EXPECT_EQ(*read.find("bf16:4x5x6"), kSecond);
  EXPECT_EQ(read.find("f32:1x2"), nullptr);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(file_.parent_path()), {}), 1);
}

TEST_F(Choices, StayInMemoryWithoutAFile) {
  AlgorithmChoices choices;
  choices.add("p", kFirst);
  ASSERT_NE(choices.find("p"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

// Two processes that began together, each with choices of its own.
TEST_F(Choices, KeepWhatAnotherAdded) {
  AlgorithmChoices one(file_, "card A"), other(file_, "card A");
  one.add("p", kFirst);
  other.add("q", kSecond);
  const AlgorithmChoices read(file_, "card A");
  EXPECT_NE(read.find("p"), nullptr);
  EXPECT_NE(read.find("q"), nullptr);
}

TEST_F(Choices, OfAnotherOwnerAreNotRead) {
  AlgorithmChoices(file_, "card A").add("p", kFirst);
  AlgorithmChoices other(file_, "card B");
  EXPECT_EQ(other.find("p"), nullptr);
  other.add("q", kSecond);
  EXPECT_EQ(AlgorithmChoices(file_, "card B").find("p"), nullptr);
  EXPECT_NE(AlgorithmChoices(file_, "card B").find("q"), nullptr);
}

TEST_F(Choices, DamagedOnesAreNotReadAndWrittenAnew) {
  AlgorithmChoices(file_, "card A").add("p", kFirst);
  const std::string whole = text();
  std::vector<std::string> damaged{"", "\n", "no such format", whole + whole};
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    damaged.push_back(whole.substr(0, i));
    damaged.push_back(whole);
    damaged.back()[i] ^= 1;
  }
  for (const std::string& bad : damaged) {
    write(bad);
    AlgorithmChoices choices(file_, "card A");
    ASSERT_EQ(choices.find("p"), nullptr) << bad;
    choices.add("p", kFirst);
    ASSERT_EQ(text(), whole);
  }
}

TEST_F(Choices, ThatCannotBeWrittenStayInMemory) {
  std::filesystem::create_directories(file_);  // a folder where the file should be
  AlgorithmChoices choices(file_, "card A");
  choices.add("p", kFirst);
  EXPECT_NE(choices.find("p"), nullptr);
}

}  // namespace
}  // namespace lodestone::kernels
