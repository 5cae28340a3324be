// Taking a reference and giving it back.
#include "vm/phys/page_pin.hpp"

#include "vm/memory_system.hpp"

namespace fl::vm {

PagePin::PagePin(MemorySystem& memory, Pfn pfn) : memory_(&memory), pfn_(pfn) {
  ++memory.page(pfn).refcount;
  ++memory.mem_map().pins();
}

void PagePin::unpin() {
  Page& page = memory_->page(pfn_);
  --memory_->mem_map().pins();
  if (page.refcount > 1) {
    --page.refcount;
    return;
  }
  memory_->lru().remove(pfn_);
  page.mapping = 0;
  memory_->pages().free_pages(pfn_);
}

}  // namespace fl::vm
