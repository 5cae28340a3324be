// The fields of each kind of event. See event_details.hpp.
#include "emu/trace/event_details.hpp"

#include <array>
#include <cstdint>

namespace fl::emu {
namespace {

struct EventDetail {
  std::string_view name;  // empty: no more
  int64_t value = 0;
  bool hex = false;
};
using EventDetails = std::array<EventDetail, 5>;

int64_t number(uint64_t value) { return static_cast<int64_t>(value); }

EventDetails event_details(const vm::MemoryEvent& event) {
  using Kind = vm::MemoryEvent::Kind;
  switch (event.kind) {
    case Kind::kKswapdWake:
      return {{{"node", event.node}}};
    case Kind::kReclaim:
      return {{{"kswapd", event.kswapd ? 1 : 0},
               {"node", event.node},
               {"scanned", number(event.scanned)},
               {"reclaimed", number(event.reclaimed)},
               {"priority", event.priority}}};
    case Kind::kSwapOut:
      return {{{"pfn", event.pfn.value(), true},
               {"area", event.swap_type},
               {"slot", event.swap_offset},
               {"failed", event.failed ? 1 : 0}}};
    case Kind::kWriteback:
      return {{{"pfn", event.pfn.value(), true},
               {"inode", number(event.inode)},
               {"index", number(event.index)},
               {"failed", event.failed ? 1 : 0}}};
    case Kind::kOomKill:
      return {{{"victim", event.victim}, {"pages", event.pages}}};
  }
  return {};
}

}  // namespace

void put_details(Cursor& out, const vm::MemoryEvent& event, const DetailStyle& style) {
  std::string_view separator;
  for (const EventDetail& detail : event_details(event)) {
    if (detail.name.empty()) {
      break;
    }
    out.text(separator).text(style.open).text(detail.name).text(style.equals);
    separator = style.separator;
    if (!detail.hex) {
      out.decimal(detail.value);
    } else if (style.quote_hex) {
      out.put('"').short_hex(static_cast<uint32_t>(detail.value)).put('"');
    } else {
      out.short_hex(static_cast<uint32_t>(detail.value));
    }
  }
}

}  // namespace fl::emu
