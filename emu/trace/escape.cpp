// Names that a guest chose, made safe for each format. Fast where nothing has to be changed, which is nearly always.
#include <algorithm>

#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

bool needs_no_escape(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (Unicode 15, table 3-7).
size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  size_t length = 0;
  uint8_t low = 0x80, high = 0xbf;  // of the second byte
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    low = first == 0xe0 ? 0xa0 : 0x80;
    high = first == 0xed ? 0x9f : 0xbf;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    low = first == 0xf0 ? 0x90 : 0x80;
    high = first == 0xf4 ? 0x8f : 0xbf;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) {
    return 0;
  }
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  return length;
}

void put_byte_escape(Cursor& out, std::string_view prefix, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<uint8_t>(c);
  out.text(prefix).put(kDigits[value >> 4]).put(kDigits[value & 15]);
}

}  // namespace

void put_json_string(Cursor& out, std::string_view text) {
  out.put('"');
  if (needs_no_escape(text)) {
    out.text(text).put('"');
    return;
  }
  while (!text.empty()) {
    const char c = text[0];
    size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out.put('\\').put(c);
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      put_byte_escape(out, "\\u00", c);
    } else if (length == 0) {
      out.text("\\ufffd");
      length = 1;
    } else {
      out.text(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out.put('"');
}

void put_csv_string(Cursor& out, std::string_view text) {
  if (std::none_of(text.begin(), text.end(), [](char c) { return c == ',' || c == '"' || c == '\r' || c == '\n'; })) {
    out.text(text);
    return;
  }
  out.put('"');
  for (const char c : text) {
    if (c == '"') {
      out.put('"');
    }
    out.put(c);
  }
  out.put('"');
}

void put_plain_string(Cursor& out, std::string_view text) {
  if (needs_no_escape(text)) {
    out.text(text);
    return;
  }
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const bool control = static_cast<uint8_t>(text[0]) < 0x20 || text[0] == 0x7f;
    if (length == 0 || control) {
      put_byte_escape(out, "\\x", text[0]);
      text.remove_prefix(1);
    } else {
      out.text(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
}

}  // namespace fl::emu
