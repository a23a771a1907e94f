#include "train/event_file.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace lodestone {
namespace {

std::string hexadecimal(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// The check value of CRC-32C's definition (RFC 3720 has more of them).
TEST(EventFile, ChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
}

// As TensorFlow's own writer makes them.
TEST(EventFile, RecordsAreByteForByte) {
  EXPECT_EQ(hexadecimal(version_record(1.0)),
            "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a");
  const std::array scalars{Scalar{"loss", 0.5F}};
  EXPECT_EQ(hexadecimal(scalars_record(2.0, 5, scalars)),
            "1a00000000000000129bd82d09000000000000004010052a0d0a0b0a046c6f7373150000003fdb81a714");
}

TEST(EventFile, LargeNumbersTakeMoreBytes) {
  // 300 is ac 02 as a varint; the session log is field 7 and says START (1) in its field 1.
  const std::string record = hexadecimal(restart_record(2.0, 300));
  EXPECT_NE(record.find("10ac023a020801"), record.npos) << record;
}

TEST(EventFile, WholeRecordsEndWhereOneIsTornOrDamaged) {
  const std::string first = version_record(1.0), second = restart_record(2.0, 5);
  const std::string both = first + second;
  EXPECT_EQ(whole_records(both), both.size());
  for (std::size_t cut = 0; cut < second.size(); ++cut)
    ASSERT_EQ(whole_records(both.substr(0, first.size() + cut)), first.size()) << cut;
  for (std::size_t at = 0; at < second.size(); ++at) {
    std::string damaged = both;
    damaged[first.size() + at] = static_cast<char>(damaged[first.size() + at] ^ 4);
    ASSERT_EQ(whole_records(damaged), first.size()) << at;
  }
  EXPECT_EQ(whole_records(std::string(64, '\0')), 0U);  // what a power loss may leave
}

}  // namespace
}  // namespace lodestone
