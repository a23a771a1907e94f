#include "engine/io/append_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "engine/io/files.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

TEST(AppendFile, GrowsByRecords) {
  const testing::TemporaryFolder folder;
  { AppendFile(folder / "a").append("one\n"); }
  AppendFile file(folder / "a");
  file.append("two\n");
  EXPECT_EQ(read_text(folder / "a"), "one\ntwo\n");
  file.flush();
}

// A file size limit makes a write stop in the middle, as a full disk does, but says EFBIG then.
TEST(AppendFile, OtherFailuresAreErrors) {
  const testing::TemporaryFolder folder;
  AppendFile file(folder / "a");
  file.append("12345678");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 12, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  testing::expect_error(ErrorKind::kIo, "a: cannot append: File too large",
                        [&] { file.append("abcdefgh"); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
}

}  // namespace
}  // namespace lodestone
