// ContentHash: tells whether two contents are the same, by chance at least: 64-bit FNV-1a. No protection against
// intent.
//
// Used for what a record says of a program's file and of its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "emu/base/host_error.hpp"

namespace fl::emu {

class ContentHash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
    }
    bytes_ += bytes.size();
  }
  uint64_t bytes() const { return bytes_; }
  // 16 hexadecimal digits.
  std::string text() const { return fmt::format("{:016x}", value_); }

  // Of a whole file.
  static HostResult<ContentHash> of_file(const std::string& path);

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
  uint64_t bytes_ = 0;
};

}  // namespace fl::emu
