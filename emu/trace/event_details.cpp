// The fields of each kind of event. See event_details.hpp.
#include "emu/trace/event_details.hpp"

namespace fl::emu {
namespace {

int64_t number(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

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

}  // namespace fl::emu
