// What a trace says of a MemoryEvent, as names and numbers, the same in every format.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "vm/memory_event.hpp"

namespace fl::emu {

struct EventDetail {
  std::string_view name;  // empty: no more
  int64_t value = 0;
  bool hex = false;
};
using EventDetails = std::array<EventDetail, 5>;

EventDetails event_details(const vm::MemoryEvent& event);

}  // namespace fl::emu
