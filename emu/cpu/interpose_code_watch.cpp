// tlb_reset_dirty_by_vaddr_x86_64(cpu, start, length): after each new block the engine looks through its whole TLB for
// entries through which a store could reach the block's page unnoticed. With the 16384 entries of a large program that
// is 0.1 ms a block and most of the time of translation.
//
// Such an entry allows stores and fetches both; only the fill hook hands them out, to frames with code that are written
// too, and it leaves a mark. Without the mark since the last flush there is nothing to find. (An entry that allows
// stores only never leads to a frame with code: the first fetch from a frame flushes it away, see fill.cpp.)
#include <dlfcn.h>

#include "emu/cpu/block_counter.hpp"
#include "mmu/base/check.hpp"

extern "C" {

extern void* fl_interposed_code_watch;

using ResetDirty = void (*)(void* cpu, uint64_t start, uint64_t length);
ResetDirty fl_original_reset_dirty = nullptr;

void tlb_reset_dirty_by_vaddr_x86_64(void* cpu, uint64_t start, uint64_t length) {
  if (fl::emu::fl_writable_code_entries != 0) {
    fl_original_reset_dirty(cpu, start, length);
  }
}

__attribute__((constructor)) void fl_register_code_watch_interposition() {
  fl_original_reset_dirty = reinterpret_cast<ResetDirty>(dlsym(RTLD_NEXT, "tlb_reset_dirty_by_vaddr_x86_64"));
  FL_CHECK(fl_original_reset_dirty != nullptr, "libunicorn has no tlb_reset_dirty_by_vaddr_x86_64");
  fl_interposed_code_watch = reinterpret_cast<void*>(&tlb_reset_dirty_by_vaddr_x86_64);
}
}
