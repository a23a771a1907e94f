#include "engine/io/stored_zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/core/check.h"

namespace lodestone {

namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::size_t kEndBytes = 22, kLocator64Bytes = 20, kLocalBytes = 30;
constexpr std::size_t kMaxCommentBytes = 65535;
constexpr std::uint16_t kZip64Extra = 0x0001;
constexpr std::uint32_t kSeeZip64 = 0xffffffff;
constexpr std::uint16_t kSeeZip64Count = 0xffff;
constexpr std::uint16_t kEncrypted = 0x0001, kUtf8Names = 0x0800;
constexpr std::size_t kAlignment = 64;

// Where the central directory lies.
struct Directory {
  std::uint64_t offset = 0, bytes = 0, count = 0;
};

struct Member {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t checksum = 0;
  std::uint64_t stored_bytes = 0, bytes = 0, header_offset = 0;
};

std::uint32_t checksum_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Fields in order, within bounds.
class Cursor {
 public:
  Cursor(const std::filesystem::path& path, std::span<const std::byte> bytes)
      : path_(path), rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  std::span<const std::byte> take(std::uint64_t count) {
    check_input(count <= rest_.size(), "{}: the zip archive is truncated or corrupt",
                path_.string());
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(std::size_t count) {
    const auto bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  const std::filesystem::path& path_;
  std::span<const std::byte> rest_;
};

class Reader {
 public:
  Reader(const std::filesystem::path& path, std::span<const std::byte> bytes)
      : path_(path), bytes_(bytes) {}

  std::map<std::string, std::span<const std::byte>> members() const {
    const Directory directory = find_directory();
    const std::vector<Member> listed = list(directory);
    std::map<std::string, std::span<const std::byte>> result;
    for (const Member& member : listed) {
      const auto bytes = locate(member, directory);
      check_input(result.emplace(member.name, bytes).second,
                  "{}: the zip archive has two members named {}", path_.string(), member.name);
    }
    check_apart(result);
    for (const Member& member : listed)
      check_input(checksum_of(result.at(member.name)) == member.checksum,
                  "{}: member {} of the zip archive is corrupt: its checksum does not match",
                  path_.string(), member.name);
    return result;
  }

 private:
  Cursor at(std::uint64_t offset) const {
    check_input(offset <= bytes_.size(), "{}: the zip archive is truncated or corrupt",
                path_.string());
    return {path_, bytes_.subspan(offset)};
  }

  // The end record is the last thing in the file, but for a comment.
  std::size_t find_end() const {
    const std::size_t first = bytes_.size() > kEndBytes + kMaxCommentBytes
                                  ? bytes_.size() - kEndBytes - kMaxCommentBytes
                                  : 0;
    for (std::size_t offset = bytes_.size() - std::min(bytes_.size(), kEndBytes) + 1;
         offset-- > first;) {
      Cursor cursor = at(offset);
      if (bytes_.size() - offset >= kEndBytes && cursor.read<std::uint32_t>() == kEndSignature)
        return offset;
    }
    fail(ErrorKind::kBadInput, "{}: not a zip archive, or a truncated one: it has no end record",
         path_.string());
  }

  Directory find_directory() const {
    const std::size_t end = find_end();
    Cursor cursor = at(end + 4);
    const auto disk = cursor.read<std::uint16_t>();
    cursor.take(4);  // disk of the directory, entries on this disk
    const auto count = cursor.read<std::uint16_t>();
    const auto size = cursor.read<std::uint32_t>();
    const auto offset = cursor.read<std::uint32_t>();
    check_input(disk == 0 || disk == kSeeZip64Count, "{}: the zip archive is one of several parts",
                path_.string());
    Directory found{offset, size, count};
    if (count == kSeeZip64Count || size == kSeeZip64 || offset == kSeeZip64)
      found = find_directory64(end);
    check_input(found.offset <= end && found.bytes <= end - found.offset,
                "{}: the zip archive is truncated or corrupt: its directory is not inside the file",
                path_.string());
    return found;
  }

  Directory find_directory64(std::size_t end) const {
    check_input(end >= kLocator64Bytes, "{}: the zip archive is corrupt", path_.string());
    Cursor locator = at(end - kLocator64Bytes);
    check_input(locator.read<std::uint32_t>() == kLocator64Signature,
                "{}: the zip archive is corrupt: its ZIP64 locator is missing", path_.string());
    locator.take(4);  // disk
    Cursor record = at(locator.read<std::uint64_t>());
    check_input(record.read<std::uint32_t>() == kEnd64Signature,
                "{}: the zip archive is corrupt: its ZIP64 end record is missing", path_.string());
    record.take(8 + 2 + 2 + 4 + 4 + 8);  // size, versions, disks, entries on this disk
    Directory found;
    found.count = record.read<std::uint64_t>();
    found.bytes = record.read<std::uint64_t>();
    found.offset = record.read<std::uint64_t>();
    return found;
  }

  std::vector<Member> list(const Directory& directory) const {
    Cursor cursor(path_, bytes_.subspan(directory.offset, directory.bytes));
    std::vector<Member> members;
    while (!cursor.done()) members.push_back(read_central_header(cursor));
    check_input(members.size() == directory.count,
                "{}: the zip archive is corrupt: it lists {} members and announces {}",
                path_.string(), members.size(), directory.count);
    return members;
  }

  Member read_central_header(Cursor& cursor) const {
    check_input(cursor.read<std::uint32_t>() == kCentralSignature,
                "{}: the zip archive is corrupt: its directory has a bad entry", path_.string());
    Member member;
    cursor.take(2 + 2);  // versions
    member.flags = cursor.read<std::uint16_t>();
    member.method = cursor.read<std::uint16_t>();
    cursor.take(2 + 2);  // time and date
    member.checksum = cursor.read<std::uint32_t>();
    member.stored_bytes = cursor.read<std::uint32_t>();
    member.bytes = cursor.read<std::uint32_t>();
    const auto name_bytes = cursor.read<std::uint16_t>();
    const auto extra_bytes = cursor.read<std::uint16_t>();
    const auto comment_bytes = cursor.read<std::uint16_t>();
    cursor.take(2 + 2 + 4);  // disk, attributes
    member.header_offset = cursor.read<std::uint32_t>();
    member.name = cursor.text(name_bytes);
    read_zip64_extra(Cursor(path_, cursor.take(extra_bytes)), member);
    cursor.take(comment_bytes);
    check_input(member.method == 0 && member.stored_bytes == member.bytes &&
                    (member.flags & kEncrypted) == 0,
                "{}: member {} of the zip archive is compressed or encrypted; torch.save stores "
                "members as they are",
                path_.string(), member.name);
    return member;
  }

  void read_zip64_extra(Cursor extra, Member& member) const {
    while (!extra.done()) {
      const auto id = extra.read<std::uint16_t>();
      const auto size = extra.read<std::uint16_t>();
      const auto body = extra.take(size);
      if (id == kZip64Extra) {
        Cursor wide(path_, body);
        if (member.bytes == kSeeZip64) member.bytes = wide.read<std::uint64_t>();
        if (member.stored_bytes == kSeeZip64) member.stored_bytes = wide.read<std::uint64_t>();
        if (member.header_offset == kSeeZip64) member.header_offset = wide.read<std::uint64_t>();
        return;
      }
    }
  }

  // The member's bytes: behind its local header, before the directory.
  std::span<const std::byte> locate(const Member& member, const Directory& directory) const {
    Cursor header = at(member.header_offset);
    check_input(header.read<std::uint32_t>() == kLocalSignature,
                "{}: the zip archive is corrupt: member {} has no header at byte {}",
                path_.string(), member.name, member.header_offset);
    header.take(kLocalBytes - 4 - 2 - 2);
    const auto name_bytes = header.read<std::uint16_t>();
    const auto extra_bytes = header.read<std::uint16_t>();
    check_input(header.text(name_bytes) == member.name,
                "{}: the zip archive is corrupt: the headers of member {} name it differently",
                path_.string(), member.name);
    const std::uint64_t begin = member.header_offset + kLocalBytes + name_bytes + extra_bytes;
    check_input(begin <= directory.offset && member.bytes <= directory.offset - begin,
                "{}: member {} of the zip archive claims {} bytes from byte {} on, beyond the "
                "directory at byte {}",
                path_.string(), member.name, member.bytes, begin, directory.offset);
    return bytes_.subspan(begin, member.bytes);
  }

  void check_apart(const std::map<std::string, std::span<const std::byte>>& members) const {
    std::vector<std::span<const std::byte>> spans;
    for (const auto& [name, bytes] : members)
      if (!bytes.empty()) spans.push_back(bytes);
    std::sort(spans.begin(), spans.end(),
              [](const auto& a, const auto& b) { return a.data() < b.data(); });
    for (std::size_t i = 1; i < spans.size(); ++i)
      check_input(spans[i - 1].data() + spans[i - 1].size() <= spans[i].data(),
                  "{}: the zip archive is corrupt: two of its members overlap", path_.string());
  }

  const std::filesystem::path& path_;
  std::span<const std::byte> bytes_;
};

template <class T>
void append(std::string& text, T value) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// What local and central headers have in common: from the version needed to the size of the name.
void append_common(std::string& text, std::string_view name, std::span<const std::byte> bytes) {
  append<std::uint16_t>(text, 10);  // version 1.0
  append<std::uint16_t>(text, kUtf8Names);
  append<std::uint16_t>(text, 0);       // stored
  append<std::uint16_t>(text, 0);       // midnight
  append<std::uint16_t>(text, 0x0021);  // 1980-01-01
  append(text, checksum_of(bytes));
  append(text, static_cast<std::uint32_t>(bytes.size()));
  append(text, static_cast<std::uint32_t>(bytes.size()));
  append(text, static_cast<std::uint16_t>(name.size()));
}

}  // namespace

StoredZip::StoredZip(const std::filesystem::path& path)
    : file_(path), members_(Reader(path, file_.bytes()).members()) {}

void StoredZipWriter::check_room(std::uint64_t bytes) const {
  check(bytes < kSeeZip64 - file_.size() && count_ < kSeeZip64Count - 1,
        "a torch checkpoint of more than 4 GiB or 65,534 members is not written; write safetensors "
        "instead");
}

void StoredZipWriter::add(std::string_view name, std::span<const std::byte> bytes) {
  check_room(bytes.size() + directory_.size() + 4096);
  const auto header_offset = static_cast<std::uint32_t>(file_.size());
  append(directory_, kCentralSignature);
  append<std::uint16_t>(directory_, 10);  // made by version 1.0
  append_common(directory_, name, bytes);
  directory_.append(2 + 2 + 2 + 2 + 4, '\0');  // extra, comment, disk, attributes
  append(directory_, header_offset);
  directory_ += name;

  // Padding goes into an extra field, as torch does.
  constexpr std::size_t kExtraHead = 4;
  const std::size_t unpadded = header_offset + kLocalBytes + name.size() + kExtraHead;
  const std::size_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  std::string header;
  append(header, kLocalSignature);
  append_common(header, name, bytes);
  append(header, static_cast<std::uint16_t>(kExtraHead + padding));
  header += name;
  header += "FB";
  append(header, static_cast<std::uint16_t>(padding));
  header.append(padding, 'Z');
  file_.write(header);
  file_.write(bytes);
  ++count_;
}

void StoredZipWriter::finish() {
  const auto offset = static_cast<std::uint32_t>(file_.size());
  file_.write(directory_);
  std::string end;
  append(end, kEndSignature);
  end.append(2 + 2, '\0');  // disks
  append(end, count_);
  append(end, count_);
  append(end, static_cast<std::uint32_t>(directory_.size()));
  append(end, offset);
  end.append(2, '\0');  // comment
  file_.write(end);
  file_.close();
}

}  // namespace lodestone
