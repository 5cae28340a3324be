// tlb_reset_dirty_by_vaddr_x86_64(cpu, start, length): after each new block the engine looks through its whole TLB for
// entries through which a store could reach the block's page unnoticed. With the 16384 entries of a large program that
// is 0.1 ms a block and most of the time of translation.
//
// Empty, because the fill hook leaves nothing to find: an entry that allows stores only never leads to a frame with
// code (the first fetch from a frame flushes it away, see fill.cpp), and stores through an entry that allows fetches
// too are always looked at by the engine.
#include "emu/cpu/block_counter.hpp"

extern "C" {

extern void* fl_interposed_code_watch;

void tlb_reset_dirty_by_vaddr_x86_64(void* /*cpu*/, uint64_t /*start*/, uint64_t /*length*/) {}

__attribute__((constructor)) void fl_register_code_watch_interposition() {
  fl_interposed_code_watch = reinterpret_cast<void*>(&tlb_reset_dirty_by_vaddr_x86_64);
}
}
