// Laps: what has passed belongs to the work that ends, in the part that it was begun in.
#include "engine/core/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "engine/ops.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

std::vector<std::string> names(const Profile& profile) {
  std::vector<std::string> names;
  for (const Profile::Entry& entry : profile.entries())
    names.push_back(std::string(entry.part) + "/" + entry.work +
                    (entry.pass == Pass::kBackward ? "/backward" : ""));
  return names;
}

TEST(Profile, TimeBelongsToTheWorkThatEnds) {
  const Profile profile;
  std::this_thread::sleep_for(20ms);
  lap("slow");
  lap("quick");
  std::this_thread::sleep_for(10ms);
  lap("slow");
  ASSERT_THAT(names(profile), ElementsAre("/slow", "/quick"));
  EXPECT_GE(profile.entries()[0].seconds, 0.030);
  EXPECT_EQ(profile.entries()[0].laps, 2);
}

TEST(Profile, BackwardKeepsThePartOfTheForward) {
  Tensor gradient = Tensor::zeros({2, 4}, DType::kF32, Device::cpu());
  const Var x = Var::parameter(Tensor::zeros({2, 4}, DType::kF32, Device::cpu()), gradient);
  const Profile profile;
  Var y;
  {
    const ProfiledPart part("inner");
    y = quick_gelu(x);
  }
  y = tanh(y);
  backward(y, Tensor::zeros({2, 4}, DType::kF32, Device::cpu()));
  EXPECT_THAT(names(profile), ElementsAre("inner/quick_gelu", "/tanh", "/tanh/backward",
                                          "inner/quick_gelu/backward"));
}

TEST(Profile, SeesItsOwnThreadWhileItLives) {
  lap("before");
  {
    const Profile profile;
    std::thread([] { lap("elsewhere"); }).join();
    EXPECT_THAT(names(profile), ElementsAre());
  }
  lap("after");
  const Profile next;
  EXPECT_THAT(names(next), ElementsAre());
}

}  // namespace
}  // namespace lodestone
