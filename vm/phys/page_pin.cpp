// Taking a reference and giving it back.
#include "vm/phys/page_pin.hpp"

#include "vm/memory_system.hpp"
#include "vm/rmap.hpp"

namespace fl::vm {

PagePin::PagePin(MemorySystem& memory, Pfn pfn) : memory_(&memory), pfn_(pfn) {
  ++memory.page(pfn).refcount;
  ++memory.mem_map().pins();
}

void PagePin::unpin() {
  --memory_->mem_map().pins();
  put_page(*memory_, pfn_);
}

}  // namespace fl::vm
