// Dirty pages of files: how many there may be, and who waits when there are too many. Linux counterpart:
// balance_dirty_pages (mm/page-writeback.c).
//
// Pages are dirtied by stores through shared mappings; what write(2) writes goes to the host's file at once. There is
// no flusher thread: who dirties a page above the background limit writes back itself, which costs it no time until
// dirty pages and those that the disk is still busy with come half-way to the limit; from there on it waits. Pages do
// not age: below the limit they stay dirty until they are synced, evicted or their file is forgotten.
#pragma once

#include <cstdint>

namespace fl::vm {

class MemorySystem;

// In percent of the pages that could be dirty: free ones and those of files. Linux: vm.dirty_background_ratio and
// vm.dirty_ratio.
struct DirtyLimits {
  uint32_t background_ratio = 10;
  uint32_t ratio = 20;
};

// A fault has made a page of a file writable. Not in the middle of one: it makes entries read-only.
void balance_dirty_pages(MemorySystem& memory);

}  // namespace fl::vm
