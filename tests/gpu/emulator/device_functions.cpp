#include "tests/gpu/emulator/device_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/gpu/emulator/finding.h"
#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

namespace {

// Arguments of the call that one lane makes.
class LaneCall {
 public:
  LaneCall(Warp& warp, const Operation& operation, std::uint32_t lane)
      : warp_(warp), operation_(operation), lane_(lane) {}

  // All parameters of these functions fit into 16 bytes.
  template <class T>
  T argument(std::uint32_t index) const {
    T value;
    std::memcpy(&value, place(index), sizeof value);
    return value;
  }
  template <class T>
  void set_result(T value) const {
    std::memcpy(place(0), &value, sizeof value);
  }
  // Checked reads at a generic address.
  template <class T>
  T read(std::uint64_t address) const {
    T value;
    const AddressSpace space = space_of(address);
    const std::uint64_t offset = address - window_of(space);
    check_lane_access(warp_, operation_, lane_, space, offset, sizeof value, AccessKind::kRead,
                      sizeof value);
    std::memcpy(&value, host_address(warp_, space, lane_, offset), sizeof value);
    return value;
  }
  std::string read_text(std::uint64_t address) const {
    constexpr std::size_t kLongest = 4096;
    std::string text;
    for (char c = read<char>(address); c != '\0' && text.size() < kLongest;
         c = read<char>(++address)) {
      text += c;
    }
    return text;
  }

 private:
  std::byte* place(std::uint32_t index) const {
    return warp_.lanes<std::byte>(warp_.list(operation_)[index]) + std::size_t{lane_} * 16;
  }

  Warp& warp_;
  const Operation& operation_;
  std::uint32_t lane_;
};

// Formats as the device does: arguments lie side by side, aligned to their size.
class Printer {
 public:
  Printer(const LaneCall& call, std::uint64_t arguments) : call_(call), at_(arguments) {}

  std::string format(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '%') {
        result += text[i++];
        continue;
      }
      const std::size_t end = text.find_first_of("diouxXeEfFgGaAcsp%", i + 1);
      if (end == std::string::npos) return result + text.substr(i);
      result += piece(text.substr(i, end + 1 - i));
      i = end + 1;
    }
    return result;
  }
  int count() const { return count_; }

 private:
  template <class T>
  T next() {
    at_ = (at_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const T value = call_.read<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  template <class T>
  static std::string print(const std::string& specification, T value) {
    char buffer[512];
    const int size = std::snprintf(buffer, sizeof buffer, specification.c_str(), value);
    return size < 0 ? ""
                    : std::string(buffer, std::min<std::size_t>(static_cast<std::size_t>(size),
                                                                sizeof buffer - 1));
  }
  std::string piece(std::string specification) {
    for (std::size_t star; (star = specification.find('*')) != std::string::npos;) {
      specification.replace(star, 1, std::to_string(next<int>()));
    }
    const char conversion = specification.back();
    if (conversion == '%') return "%";
    ++count_;
    if (conversion == 's')
      return print(specification, call_.read_text(next<std::uint64_t>()).c_str());
    if (conversion == 'p') return print(specification, std::bit_cast<void*>(next<std::uint64_t>()));
    if (std::string_view("eEfFgGaA").find(conversion) != std::string_view::npos) {
      return print(specification, next<double>());
    }
    const bool is_long = specification.find('l') != std::string::npos ||
                         specification.find('z') != std::string::npos ||
                         specification.find('j') != std::string::npos;
    return is_long ? print(specification, next<long long>()) : print(specification, next<int>());
  }

  const LaneCall& call_;
  std::uint64_t at_;
  int count_ = 0;
};

// int vprintf(const char* format, void* arguments)
void call_vprintf(Warp& warp, const Operation& operation, LaneMask mask) {
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    const LaneCall call(warp, operation, lane);
    Printer printer(call, call.argument<std::uint64_t>(2));
    const std::string text = printer.format(call.read_text(call.argument<std::uint64_t>(1)));
    std::fwrite(text.data(), 1, text.size(), stdout);
    call.set_result(printer.count());
  }
  std::fflush(stdout);
}

// void __assertfail(const char* message, const char* file, unsigned line, const char* function,
// size_t)
void call_assertfail(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
  const LaneCall call(warp, operation, lane);
  const std::string message = call.read_text(call.argument<std::uint64_t>(0));
  const std::string function = call.read_text(call.argument<std::uint64_t>(3));
  report(warp, operation, lane, FindingKind::kAssertion,
         fmt::format("assertion '{}' failed in {}", message, function));
}

}  // namespace

Handler device_function(std::string_view name) {
  if (name == "vprintf") return call_vprintf;
  if (name == "__assertfail") return call_assertfail;
  return nullptr;
}

}  // namespace lodestone::ptx
