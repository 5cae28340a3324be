// Cursor: appends text to a buffer that is known to be large enough. The trace formats' inner loop.
//
// No bounds checks: the caller reserved kMaxRecord bytes, and every field has a limit (clip). printf and fmt take
// several times as long for a record of thirty fields.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fl::emu {

// Longest names in a trace; longer ones are cut.
inline constexpr size_t kMaxComm = 64, kMaxInsn = 256, kMaxSymbol = 1024, kMaxName = 4096;
// No record is longer: every byte of a name may become six.
inline constexpr size_t kMaxRecord = 6 * (kMaxComm + kMaxInsn + kMaxSymbol + kMaxName) + 2048;

inline std::string_view clip(std::string_view text, size_t most) { return text.substr(0, most); }

// "00" to "ff", one after the other.
inline constexpr std::array<char, 512> kHexPairs = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = kDigits[i >> 4];
    pairs[2 * i + 1] = kDigits[i & 15];
  }
  return pairs;
}();

class Cursor {
 public:
  explicit Cursor(char* at) : at_(at) {}
  char* end() const { return at_; }

  template <size_t N>
  Cursor& text(const char (&literal)[N]) {
    std::memcpy(at_, literal, N - 1);
    at_ += N - 1;
    return *this;
  }
  Cursor& text(std::string_view text) {
    at_ = std::copy(text.begin(), text.end(), at_);  // an empty one may have no address, which memcpy does not take
    return *this;
  }
  Cursor& put(char c) {
    *at_++ = c;
    return *this;
  }
  Cursor& decimal(uint64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  Cursor& decimal(int64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  Cursor& decimal(uint32_t value) { return decimal(uint64_t{value}); }
  // "0x0804a000"
  Cursor& hex(uint32_t value) {
    *at_++ = '0';
    *at_++ = 'x';
    for (int shift = 24; shift >= 0; shift -= 8) {
      std::memcpy(at_, kHexPairs.data() + 2 * ((value >> shift) & 0xff), 2);
      at_ += 2;
    }
    return *this;
  }
  // "0x1c", without leading zeros.
  Cursor& short_hex(uint32_t value) {
    *at_++ = '0';
    *at_++ = 'x';
    at_ = std::to_chars(at_, at_ + 8, value, 16).ptr;
    return *this;
  }

 private:
  char* at_;
};

}  // namespace fl::emu
