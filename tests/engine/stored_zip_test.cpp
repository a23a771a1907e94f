#include "engine/io/stored_zip.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using namespace std::string_literals;
using testing::expect_error;
using testing::TemporaryFolder;

constexpr std::size_t kEndBytes = 22;

template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
void write_archive(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, std::string>>& members) {
  StoredZipWriter zip(path);
  for (const auto& [name, bytes] : members) zip.add(name, std::as_bytes(std::span(bytes)));
  zip.finish();
}
// Members m/a: 24 times 'a', m/b: "bb".
std::string archive_bytes() {
  const TemporaryFolder folder;
  write_archive(folder / "a.zip", {{"m/a", std::string(24, 'a')}, {"m/b", "bb"}});
  return read_text(folder / "a.zip");
}
void expect_refused(const std::string& bytes, const std::string& why) {
  const TemporaryFolder folder;
  write_text(folder / "a.zip", bytes);
  expect_error(ErrorKind::kBadInput, why, [&] { StoredZip(folder / "a.zip"); });
}
// The last place of `what` replaced: the directory comes after the members.
std::string replaced(std::string bytes, const std::string& what, const std::string& with) {
  const auto at = bytes.rfind(what);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at, what.size(), with);
}

TEST(StoredZip, MembersComeBackAligned) {
  const TemporaryFolder folder;
  write_text(folder / "a.zip", archive_bytes());
  const StoredZip zip(folder / "a.zip");
  ASSERT_EQ(zip.members().size(), 2u);
  EXPECT_EQ(text_of(zip.members().at("m/a")), std::string(24, 'a'));
  EXPECT_EQ(text_of(zip.members().at("m/b")), "bb");
  for (const auto& [name, bytes] : zip.members())
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, 0u) << name;
}

TEST(StoredZip, AnArchiveMayBeEmptyOrEndInAComment) {
  const TemporaryFolder folder;
  write_archive(folder / "a.zip", {});
  EXPECT_TRUE(StoredZip(folder / "a.zip").members().empty());
  write_text(folder / "b.zip", archive_bytes() + "a comment");
  EXPECT_EQ(StoredZip(folder / "b.zip").members().size(), 2u);
}

TEST(StoredZip, RefusesATruncatedArchive) {
  const std::string whole = archive_bytes();
  expect_refused("", "not a zip archive, or a truncated one");
  expect_refused(whole.substr(0, whole.size() - 1), "truncated");
  expect_refused(whole.substr(0, whole.size() / 2), "not a zip archive, or a truncated one");
  expect_refused(whole.substr(64), "corrupt");
}

TEST(StoredZip, RefusesACorruptMember) {
  expect_refused(replaced(archive_bytes(), "aaa", "aba"),
                 "member m/a of the zip archive is corrupt");
}

TEST(StoredZip, RefusesMembersBeyondTheFile) {
  const auto size = bytes_of(24u);
  expect_refused(replaced(archive_bytes(), size + size, bytes_of(1u << 20) + bytes_of(1u << 20)),
                 "claims 1048576 bytes");
}

TEST(StoredZip, RefusesCompressedMembers) {
  const auto size = bytes_of(24u);
  expect_refused(replaced(archive_bytes(), size + size, bytes_of(12u) + size), "is compressed");
}

TEST(StoredZip, RefusesTwoMembersOfOneName) {
  const TemporaryFolder folder;
  write_archive(folder / "a.zip", {{"m/a", "x"}, {"m/a", "x"}});
  expect_error(ErrorKind::kBadInput, "two members named m/a", [&] { StoredZip(folder / "a.zip"); });
}

TEST(StoredZip, RefusesADirectoryThatNamesAMemberDifferently) {
  expect_refused(replaced(archive_bytes(), "m/b", "m/c"), "name it differently");
}

TEST(StoredZip, RefusesADirectoryOfAnotherCount) {
  std::string bytes = archive_bytes();
  bytes[bytes.size() - kEndBytes + 10] = 3;
  expect_refused(bytes, "lists 2 members and announces 3");
}

TEST(StoredZip, RefusesOverlappingMembers) {
  const TemporaryFolder folder;
  write_archive(folder / "a.zip", {{"m/a", std::string(24, 'a')}, {"m/b", std::string(24, 'a')}});
  std::string bytes = read_text(folder / "a.zip");
  // m/a is stretched over m/b, which begins 64 bytes behind it.
  const auto size = bytes_of(24u);
  const auto directory = bytes.find("PK\1\2");
  const auto at = bytes.find(size + size, directory);
  bytes.replace(at, 8, bytes_of(80u) + bytes_of(80u));
  expect_refused(bytes, "two of its members overlap");
}

// The end record replaced by what ZIP64 writes when numbers do not fit.
TEST(StoredZip, ReadsZip64) {
  const TemporaryFolder folder;
  const std::string whole = archive_bytes();
  const std::string body = whole.substr(0, whole.size() - kEndBytes);
  std::uint32_t bytes = 0, offset = 0;
  std::memcpy(&bytes, whole.data() + whole.size() - 10, sizeof bytes);
  std::memcpy(&offset, whole.data() + whole.size() - 6, sizeof offset);
  const std::string end64 = bytes_of(0x06064b50u) + bytes_of(std::uint64_t{44}) + "\x2d\0\x2d\0"s +
                            std::string(8, '\0') + bytes_of(std::uint64_t{2}) +
                            bytes_of(std::uint64_t{2}) + bytes_of(std::uint64_t{bytes}) +
                            bytes_of(std::uint64_t{offset});
  const auto with_locator = [&](std::uint64_t at) {
    return body + end64 + bytes_of(0x07064b50u) + bytes_of(0u) + bytes_of(at) + bytes_of(1u) +
           bytes_of(0x06054b50u) + bytes_of(0u) + std::string(12, '\xff') + std::string(2, '\0');
  };
  write_text(folder / "a.zip", with_locator(body.size()));
  EXPECT_EQ(text_of(StoredZip(folder / "a.zip").members().at("m/b")), "bb");
  expect_refused(with_locator(UINT64_MAX), "truncated or corrupt");
  expect_refused(with_locator(0), "its ZIP64 end record is missing");
}

// A member whose numbers stand in the ZIP64 field of its directory entry.
TEST(StoredZip, ReadsZip64Members) {
  constexpr std::size_t kStoredBytes = 20, kBytes = 24, kExtraBytes = 30, kOffset = 42, kName = 46;
  const std::string whole = archive_bytes();
  const auto entry = whole.rfind("PK\1\2");
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, whole.data() + at, sizeof value);
    return value;
  };
  const auto with_field = [&](std::uint64_t bytes, std::uint64_t offset) {
    const std::string field = bytes_of(std::uint16_t{1}) + bytes_of(std::uint16_t{24}) +
                              bytes_of(bytes) + bytes_of(bytes) + bytes_of(offset);
    std::string changed = whole;
    for (const std::size_t at : {kStoredBytes, kBytes, kOffset})
      changed.replace(entry + at, 4, std::string(4, '\xff'));
    changed[entry + kExtraBytes] =
        static_cast<char>(changed[entry + kExtraBytes] + static_cast<char>(field.size()));
    changed.insert(entry + kName + std::strlen("m/b"), field);
    const std::size_t directory_bytes = changed.size() - 10;
    changed.replace(directory_bytes, 4,
                    bytes_of(number(whole.size() - 10) + static_cast<std::uint32_t>(field.size())));
    return changed;
  };
  const TemporaryFolder folder;
  write_text(folder / "a.zip", with_field(2, number(entry + kOffset)));
  const StoredZip zip(folder / "a.zip");
  EXPECT_EQ(text_of(zip.members().at("m/b")), "bb");
  EXPECT_EQ(zip.members().size(), 2u);
  expect_refused(with_field(std::uint64_t{1} << 40, number(entry + kOffset)), "claims");
  expect_refused(with_field(2, UINT64_MAX), "");
}

}  // namespace
}  // namespace lodestone
