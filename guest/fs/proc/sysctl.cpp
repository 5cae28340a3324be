// Reading settings as Linux does: white space around numbers, and nothing else.
#include "guest/fs/proc/sysctl.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace fl::guest {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

// The text from the first character of a number on; empty: there is none.
std::string_view skip_space(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}
bool at_end(std::string_view text) { return text.empty() || kSpace.find(text.front()) != std::string_view::npos; }

}  // namespace

Result<uint64_t> take_number(std::string_view& text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) {
    return fail(Errno::kEINVAL);
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string format_sysctl(std::span<const uint32_t> values) { return fmt::format("{}\n", fmt::join(values, "\t")); }

Status parse_sysctl(std::string_view text, std::span<uint32_t> values, uint32_t least, uint32_t most) {
  std::vector<uint32_t> read;
  // A C string: what follows its end is not looked at.
  text = text.substr(0, text.find('\0'));
  while (read.size() < values.size()) {
    text = skip_space(text);
    if (text.empty()) {
      break;
    }
    FL_TRY_ASSIGN(const uint64_t value, take_number(text));
    if (!at_end(text) || value < least || value > most) {
      return fail(Errno::kEINVAL);
    }
    read.push_back(static_cast<uint32_t>(value));
  }
  if (read.empty()) {
    return fail(Errno::kEINVAL);
  }
  std::copy(read.begin(), read.end(), values.begin());
  return {};
}

Result<uint64_t> parse_long_sysctl(std::string_view text, uint64_t most) {
  text = skip_space(text.substr(0, text.find('\0')));
  FL_TRY_ASSIGN(const uint64_t value, take_number(text));
  return at_end(text) && value <= most ? Result<uint64_t>(value) : fail(Errno::kEINVAL);
}

}  // namespace fl::guest
