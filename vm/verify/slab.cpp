// 14: kernel objects. Lists, counts and free lists of every slab cache; with slab debugging, that nobody wrote to a
// free object or beside any; and that struct page says of exactly the slabs' frames that they are slabs.
#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {

void check_slab(MemorySystem& memory, Violations& out) {
  for (const std::string& line : memory.slab().problems()) {
    out.add(Invariant::kSlab, "{}", line);
  }
  uint32_t frames = 0;
  for (uint32_t frame = 0; frame < memory.mem_map().size(); ++frame) {
    frames += memory.page(Pfn(frame)).has(PageFlag::kSlab) ? 1 : 0;
  }
  const uint32_t slabs = memory.slab().unreclaimable_pages() + memory.slab().reclaimable_pages();
  if (frames != slabs) {
    out.add(Invariant::kSlab, "{} frames are marked as slabs, caches have {}", frames, slabs);
  }
}

}  // namespace fl::vm
