// Every struct page against what was counted: invariant 1 (one state each), 4 (one writer), 5 and 6 (map and reference
// counts), 8 (the zero page), 13 (frames marked as tables).
#include <bit>

#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

// The flags that say what a frame is used for. A free frame has none of them; only a block's head has kBuddy.
constexpr uint32_t kUses =
    PageFlag::kReserved | PageFlag::kTable | PageFlag::kAnon | PageFlag::kCache | PageFlag::kKernel | PageFlag::kSlab;

void check_state(uint32_t frame, const Page& page, const FrameUsers& use, Violations& out) {
  // A page of the swap cache that is mapped is anonymous as well.
  const bool swap_only = page.has(PageFlag::kSwapCache) && !page.has(PageFlag::kAnon);
  const int states = std::popcount(page.flags & kUses) + (use.free ? 1 : 0) + (swap_only ? 1 : 0);
  if (states != 1) {
    out.add(Invariant::kPageState, "frame {:#x} is in {} states (flags {:#x}, {})", frame, states, page.flags,
            use.free ? "free" : "not free");
  }
  if (page.has(PageFlag::kAnonExclusive) && !page.has(PageFlag::kAnon)) {
    out.add(Invariant::kPageState, "frame {:#x} is exclusive without being anonymous", frame);
  }
}

// `pins` references may be somebody's who is at work; what this page has of them is taken off.
void check_counts(uint32_t frame, const Page& page, const FrameUsers& use, uint32_t& pins, Violations& out) {
  if (page.mapcount != static_cast<int32_t>(use.maps)) {
    out.add(Invariant::kMapCount, "frame {:#x}: mapcount {}, but {} entries map it", frame, page.mapcount, use.maps);
  }
  // One reference for each entry, for the page cache, and for a boot-time, kernel or page-table user.
  constexpr uint32_t kOwned =
      PageFlag::kCache | PageFlag::kReserved | PageFlag::kKernel | PageFlag::kSlab | PageFlag::kTable;
  const uint32_t owners = use.maps + (page.has(kOwned) ? 1u : 0u) + (page.has(PageFlag::kSwapCache) ? 1u : 0u);
  const uint32_t pinned = page.refcount > static_cast<int32_t>(owners) ? page.refcount - owners : 0;
  const bool block_tail =
      page.has(PageFlag::kKernel | PageFlag::kSlab) && page.refcount == 0;  // the head has the reference
  if (pinned != 0 && pinned <= pins) {
    pins -= pinned;
  } else if (page.refcount != static_cast<int32_t>(owners) && !block_tail) {
    out.add(Invariant::kRefCount, "frame {:#x}: refcount {}, but it has {} users (flags {:#x})", frame, page.refcount,
            owners, page.flags);
  }
  if (use.writable_private > 1 || (use.writable_private == 1 && use.maps > 1)) {
    out.add(Invariant::kEntryRights, "frame {:#x} is private and writable in one entry, and {} map it", frame,
            use.maps);
  }
  if (use.tables != (page.has(PageFlag::kTable) ? 1u : 0u)) {
    out.add(Invariant::kTables, "frame {:#x}: {} directories reach it as a table, flags {:#x}", frame, use.tables,
            page.flags);
  }
}

}  // namespace

void check_pages(MemorySystem& memory, const FrameUserTable& uses, Violations& out) {
  uint32_t reserved = 0;
  uint32_t tables = 0;
  uint32_t pins = memory.mem_map().pins();
  for (uint32_t frame = 0; frame < uses.size() && !out.full(); ++frame) {
    const Page& page = memory.page(Pfn(frame));
    check_state(frame, page, uses[frame], out);
    check_counts(frame, page, uses[frame], pins, out);
    reserved += page.has(PageFlag::kReserved) ? 1 : 0;
    tables += page.has(PageFlag::kTable) ? 1 : 0;
  }
  if (pins != 0) {
    out.add(Invariant::kRefCount, "{} references are pins, and no page has them", pins);
  }
  const PageAllocator& pages = memory.pages();
  if (reserved + pages.managed_frames() != uses.size()) {
    out.add(Invariant::kPageState, "{} reserved and {} managed frames are not all {} of RAM", reserved,
            pages.managed_frames(), uses.size());
  }
  if (tables != pages.table_frames()) {
    out.add(Invariant::kTables, "{} frames are tables, counted as {}", tables, pages.table_frames());
  }

  // More references than its own are pins, which were counted with all others.
  if (const Page& zero = memory.page(memory.zero_page()); !zero.has(PageFlag::kReserved) || zero.refcount < 1) {
    out.add(Invariant::kZeroPage, "the zero page was freed or given away: flags {:#x}, refcount {}", zero.flags,
            zero.refcount);
  }
  const std::byte* bytes = memory.ram().frame(memory.zero_page());
  for (uint32_t i = 0; i < kPageSize; ++i) {
    if (bytes[i] != std::byte{0}) {
      out.add(Invariant::kZeroPage, "byte {:#x} of the zero page is {:#x}", i, static_cast<unsigned>(bytes[i]));
      break;
    }
  }
}

}  // namespace fl::vm
