// What a trace says of a MemoryEvent: names and numbers, the same in every format.
#pragma once

#include <string_view>

#include "emu/trace/cursor.hpp"
#include "vm/memory_event.hpp"

namespace fl::emu {

// How a format writes them: `open` before each name, `equals` behind it, `separator` between two.
struct DetailStyle {
  std::string_view open, equals, separator;
  bool quote_hex = false;
};

void put_details(Cursor& out, const vm::MemoryEvent& event, const DetailStyle& style);

}  // namespace fl::emu
