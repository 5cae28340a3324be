// printable: names for a table on a terminal. They come from files and programs and may be any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fl::emu {

// Control characters as '?'.
inline std::string printable(std::string_view name) {
  std::string text;
  for (const char c : name) {
    text += static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return text;
}

}  // namespace fl::emu
