#include "engine/io/files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::TemporaryFolder;

std::size_t entries_of(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, TextIsWrittenWholeAndReadBack) {
  const TemporaryFolder folder;
  const std::string text("two\nlines\0and a zero", 20);
  write_text(folder / "a.txt", "old");
  write_text(folder / "a.txt", text);
  EXPECT_EQ(read_text(folder / "a.txt"), text);
  EXPECT_EQ(entries_of(folder.path()), 1u);
}

TEST(Files, MappedFileHoldsTheBytes) {
  const TemporaryFolder folder;
  write_text(folder / "a", "abc");
  write_text(folder / "empty", "");
  MappedFile file(folder / "a");
  const MappedFile moved(std::move(file));
  ASSERT_EQ(moved.bytes().size(), 3u);
  EXPECT_EQ(moved.bytes()[1], std::byte{'b'});
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
}

TEST(Files, OutputFileWritesMoreThanItsBuffer) {
  const TemporaryFolder folder;
  const std::string piece(700'001, 'x');
  OutputFile file(folder / "a");
  for (int i = 0; i < 5; ++i) file.write(piece);
  file.close();
  EXPECT_EQ(file.size(), 5 * piece.size());
  EXPECT_EQ(read_text(folder / "a"), std::string(5 * piece.size(), 'x'));
}

TEST(Files, AFailedWriteLeavesTheTargetAsItWas) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  const auto fails = [](const fs::path& staged) {
    OutputFile file(staged);
    file.write("half");
    file.close();
    throw std::runtime_error("stopped");
  };
  EXPECT_THROW(publish_file(folder / "a", fails), std::runtime_error);
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(entries_of(folder.path()), 1u);
}

TEST(Files, DirectoriesArePublishedWhole) {
  const TemporaryFolder folder;
  const auto write = [](const std::string& text) {
    return [text](const fs::path& staged) {
      fs::create_directory(staged / "inner");
      write_text(staged / "inner" / "a", text);
    };
  };
  publish_directory(folder / "out/", false, write("first"));
  EXPECT_EQ(read_text(folder / "out/inner/a"), "first");
  expect_error(ErrorKind::kInvalidArgument,
               "exists already; choose another name for the output or replace it with --replace",
               [&] { publish_directory(folder / "out", false, write("second")); });
  publish_directory(folder / "out", true, write("third"));
  EXPECT_EQ(read_text(folder / "out/inner/a"), "third");
  const auto fails = [](const fs::path& staged) {
    write_text(staged / "a", "half");
    throw std::runtime_error("stopped");
  };
  EXPECT_THROW(publish_directory(folder / "out", true, fails), std::runtime_error);
  EXPECT_EQ(read_text(folder / "out/inner/a"), "third");
  EXPECT_EQ(entries_of(folder.path()), 1u);
}

TEST(Files, FailuresNameTheFile) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kBadInput, "missing: cannot open",
               [&] { read_text(folder / "missing"); });
  expect_error(ErrorKind::kBadInput, "missing: cannot open",
               [&] { MappedFile file(folder / "missing"); });
  expect_error(ErrorKind::kBadInput, "cannot read: Is a directory",
               [&] { read_text(folder.path()); });
  expect_error(ErrorKind::kIo, "does not exist", [&] { write_text(folder / "no/a", ""); });
  fs::create_directory(folder / "folder");
  expect_error(ErrorKind::kIo, "folder", [&] { write_text(folder / "folder", ""); });
}

TEST(Files, FoldersAreMadeWithThoseAbove) {
  const TemporaryFolder folder;
  make_folder(folder / "a/b/c/");
  make_folder(folder / "a/b");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  write_text(folder / "file", "");
  expect_error(ErrorKind::kIo, "file", [&] { make_folder(folder / "file/a"); });
}

TEST(Files, WhatKilledWritersLeftIsRemoved) {
  const TemporaryFolder folder;
  write_text(folder / ".hidden", "stays");
  write_text(staging_path(folder / "file"), "half");
  fs::create_directories(staging_path(folder / "folder") / "inner");
  remove_staged(folder.path());
  EXPECT_EQ(entries_of(folder.path()), 1u);
  EXPECT_EQ(read_text(folder / ".hidden"), "stays");
}

TEST(Files, RoomIsCheckedInWords) {
  const TemporaryFolder folder;
  check_room(folder.path(), 1);
  expect_error(ErrorKind::kOutOfMemory, ": 1000000000000.0 MB are needed and the disk has ",
               [&] { check_room(folder.path(), 1'000'000'000'000'000'000); });
}

// /dev/full answers every write with "no space left".
TEST(Files, AFullDiskIsOutOfMemory) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  expect_error(ErrorKind::kOutOfMemory, "/dev/full: cannot write: No space left", [] {
    OutputFile file("/dev/full");
    file.write("text");
    file.close();
  });
}

// XXH3 with 128 bits and seed 0 of no input, as its specification states it.
TEST(Files, HashesAreXxh3) {
  const TemporaryFolder folder;
  write_text(folder / "empty", "");
  write_text(folder / "a", "abc");
  EXPECT_EQ(hash_file(folder / "empty"), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_file(folder / "a"), hash_bytes(std::as_bytes(std::span(std::string_view("abc")))));
  EXPECT_NE(hash_file(folder / "a"), hash_file(folder / "empty"));
}

}  // namespace
}  // namespace lodestone
