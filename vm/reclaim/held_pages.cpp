// Taking hold and letting go.
#include "vm/reclaim/held_pages.hpp"

#include "vm/memory_system.hpp"

namespace fl::vm {

void HeldPages::hold(MemorySystem& memory) {
  for (const Pfn pfn : memory.faulted_pages().all()) {
    if (memory.page(pfn).mapcount > 0 && count_ < pins_.size()) {
      pins_[count_++].emplace(memory, pfn);
    }
  }
}

void HeldPages::release_to(FaultedPages& faulted) {
  for (uint32_t i = 0; i < count_; ++i) {
    faulted.note(pins_[i]->pfn());
  }
  clear();
}

void HeldPages::clear() {
  while (count_ != 0) {
    pins_[--count_].reset();
  }
}

}  // namespace fl::vm
