// Numbers and sizes. std::from_chars, because strtoul accepts signs, spaces and, silently, overflow.
#include "emu/cli/size.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace fl::emu {
namespace {

struct Unit {
  char letter;
  unsigned shift;
};
constexpr std::array<Unit, 3> kUnits{{{'K', 10}, {'M', 20}, {'G', 30}}};

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

std::optional<uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  for (const std::string_view suffix : {"iB", "B"}) {
    // Not for hexadecimal, where B is a digit.
    if (!text.starts_with("0x") && text.ends_with(suffix)) {
      text.remove_suffix(suffix.size());
      break;
    }
  }
  unsigned shift = 0;
  if (!text.empty()) {
    for (const Unit& unit : kUnits) {
      if (to_upper(text.back()) == unit.letter) {
        shift = unit.shift;
        text.remove_suffix(1);
        break;
      }
    }
  }
  const auto number = parse_number(text);
  if (!number || *number > (std::numeric_limits<uint64_t>::max() >> shift)) {
    return std::nullopt;
  }
  return *number << shift;
}

std::string format_size(uint64_t bytes) {
  for (size_t i = kUnits.size(); i-- > 0;) {
    const uint64_t unit = uint64_t{1} << kUnits[i].shift;
    if (bytes >= unit && bytes % unit == 0) {
      return fmt::format("{}{}", bytes / unit, kUnits[i].letter);
    }
  }
  return std::to_string(bytes);
}

}  // namespace fl::emu
